import { type PickerName, pickerNames } from '../../src/balancer/pickers/index.js';
import type { Scenario } from '../../src/simulator/scenario/scenario.js';
import type { Part } from '../support/program.js';
import { runJobs } from './jobs.js';

const SPEED_CALLS = 5_000_000;
/** Simulated calls a second and core, in millions. */
const LEAST: Readonly<Record<PickerName, number>> = Object.fromEntries(
  pickerNames.map((name) => [name, name === 'round-robin' ? 1 : 0.5]),
) as Record<PickerName, number>;

export const speed: Part = {
  name: 'speed',
  targets: pickerNames.map((name) => `speed/${name}`),
  async run(run) {
    const scenario = loaded('speed', 100, 0.9, SPEED_CALLS, {});
    const jobs = pickerNames.map((picker) => ({ scenario, picker, seed: 1 }));
    const runs = await runJobs(jobs, {
      signal: run.signal,
      alone: true,
      done: (n) => run.progress(`${n} of ${jobs.length} pickers`),
    });
    const rows = runs.map(({ result, cpuMs, wallMs }) => ({
      picker: result.picker,
      perCpuSecond: result.calls / cpuMs / 1_000,
      perSecond: result.calls / wallMs / 1_000,
    }));
    run.say(`\nspeed: million calls simulated a second, one client of 100 servers at 90 % load`);
    run.table(
      ['picker', 'of CPU', 'of the clock'],
      rows.map(({ picker, perCpuSecond, perSecond }) => [picker, perCpuSecond, perSecond]),
    );
    run.record('speed', rows);
    for (const [i, name] of pickerNames.entries()) {
      run.atLeast(`speed/${name}`, rows[i]!.perCpuSecond, LEAST[name], 'million/s of CPU');
    }
  },
};

/** What a heap is taken to differ by from one time to the next, in MiB. */
const NOISE_MIB = 1;

export const memory: Part = {
  name: 'memory',
  targets: ['memory/growth'],
  async run(run) {
    // Everything that keeps something of a call until later.
    const calls = { timeoutMs: 2_000, retry: {}, hedge: {} };
    const [few, many] = await runJobs(
      [500_000, 5_000_000].map((count) => ({
        scenario: loaded('memory', 100, 0.7, count, { calls, pool: { outlierDetection: true } }),
        picker: 'peak-ewma' as const,
        seed: 1,
      })),
      { signal: run.signal },
    );
    run.say(
      `\nmemory: ${few!.heapMiB.toFixed(2)} MiB held after 500,000 calls, ${many!.heapMiB.toFixed(2)} after ten times as many`,
    );
    run.record('memory', { fewMiB: few!.heapMiB, manyMiB: many!.heapMiB });
    run.atMost('memory/growth', many!.heapMiB - few!.heapMiB, NOISE_MIB, 'MiB');
  },
};

export const scale: Part = {
  name: 'scale',
  targets: ['scale/time', 'scale/memory'],
  async run(run) {
    const scenario = loaded('scale', 10_000, 0.7, 10_000_000, {
      clients: 1_000,
      pool: { subset: { size: 50 } },
    });
    const [done] = await runJobs([{ scenario, picker: 'peak-ewma', seed: 1 }], { signal: run.signal });
    const { result, wallMs, cpuMs, maxRssMiB } = done!;
    const millions = (result.calls / 1e6).toFixed(2);
    run.say(
      `\nscale: ${millions} million calls of 1,000 clients, each connected to 50 of 10,000 servers, in ${(wallMs / 1_000).toFixed(1)} s (${(cpuMs / 1_000).toFixed(1)} s of CPU) and ${maxRssMiB.toFixed(0)} MiB`,
    );
    run.record('scale', { calls: result.calls, wallMs, cpuMs, maxRssMiB });
    run.atMost('scale/time', wallMs / 1_000, 60, 's');
    run.atMost('scale/memory', maxRssMiB, 2_048, 'MiB');
  },
};

/** Servers of one place each, exponential service of 10 ms, and about so many calls. */
function loaded(
  name: string,
  servers: number,
  load: number,
  calls: number,
  over: Partial<Scenario>,
): Scenario {
  return {
    name,
    durationMs: (calls / (servers * load)) * 10,
    arrivals: { kind: 'poisson', load },
    servers: [
      { name: 'server', count: servers, concurrency: 1, service: { kind: 'exponential', meanMs: 10 } },
    ],
    ...over,
  };
}
