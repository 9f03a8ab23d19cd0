import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { PickerName } from '../../src/balancer/pickers/index.js';
import type { Scenario } from '../../src/simulator/scenario/scenario.js';
import type { RunResult } from '../../src/simulator/simulation.js';
import { endWithUs } from '../../test/support/children.js';

/** One run, in a process of its own. */
export interface Job {
  readonly scenario: Scenario;
  readonly picker: PickerName;
  /** For power-of-two: how many candidates it draws. Default 2. */
  readonly choices?: number;
  readonly seed: number;
}

/** What came of it, and what it took. */
export interface Done {
  readonly result: RunResult;
  /** From the plan to the result. */
  readonly wallMs: number;
  readonly cpuMs: number;
  /** The most memory that the process had, in MiB. */
  readonly maxRssMiB: number;
  /** What the simulation holds at its end, after a collection, in MiB. */
  readonly heapMiB: number;
}

/** Runs the jobs, as many at a time as there are cores, or one after the other. In the order of the jobs. */
export async function runJobs(
  jobs: readonly Job[],
  {
    signal,
    alone = false,
    done = () => {},
  }: { signal: AbortSignal; alone?: boolean; done?: (jobs: number) => void },
): Promise<Done[]> {
  const results: Done[] = [];
  let next = 0;
  let ended = 0;
  const lane = async () => {
    for (let i = next++; i < jobs.length && !signal.aborted; i = next++) {
      results[i] = await runJob(jobs[i]!, signal);
      done(++ended);
    }
  };
  const lanes = alone ? 1 : availableParallelism();
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}

async function runJob(job: Job, signal: AbortSignal): Promise<Done> {
  const worker = fileURLToPath(new URL('./worker.js', import.meta.url));
  const child = endWithUs(fork(worker, [JSON.stringify(job)], { signal, execArgv: ['--expose-gc'] }));
  let sent: Done | undefined;
  child.on('message', (message) => {
    sent = message as Done;
  });
  const [code, endedBy] = (await once(child, 'exit')) as [number | null, string | null];
  if (sent === undefined) {
    throw new Error(`the run of ${job.picker} on ${job.scenario.name} ended with ${endedBy ?? code}`);
  }
  return sent;
}
