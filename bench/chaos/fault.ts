import type { Transport } from '../../src/balancer/transport/transport.js';
import { transportNamed } from '../../src/cli/transport.js';
import type { Part, Run } from '../support/program.js';
import { Scene } from './scene.js';

/** What a measured value must be. */
export interface Limit {
  readonly bound: 'at most' | 'at least';
  readonly limit: number;
  readonly unit: string;
}

/** Values by name. Those that have a limit are targets; one that could not be measured is left out. */
export type Measured = Readonly<Record<string, number | undefined>>;

/** Something that happens to etcd, to the network or to a process, and what must be true of it. */
export interface Fault {
  readonly name: string;
  /** For people. */
  readonly title: string;
  readonly limits: Readonly<Record<string, Limit>>;
  /** Faults of one group mostly wait, and are run at the same time. */
  readonly together?: string;
  /** Does it, on processes of its own that the scene ends, and measures what comes of it. */
  run(scene: Scene): Promise<Measured>;
}

/** What came of a fault. */
export interface Report {
  readonly fault: Fault;
  readonly measured: Measured;
  readonly seconds: number;
}

/** What holds in every fault. */
export const ALWAYS = {
  'calls-failed': { bound: 'at most', limit: 0, unit: 'calls' },
  'changes-missed': { bound: 'at most', limit: 0, unit: 'changes' },
  'applied-twice': { bound: 'at most', limit: 0, unit: 'changes' },
  'surplus-log-lines': { bound: 'at most', limit: 0, unit: 'lines' },
  'unhandled-errors': { bound: 'at most', limit: 0, unit: 'errors' },
} as const satisfies Record<string, Limit>;

/** The table equals etcd again, so long after etcd answers another client's linearizable read. */
export const CONVERGED = { 'converged-ms': { bound: 'at most', limit: 3_500, unit: 'ms' } } as const;

/** The pool says so long after the fault that its table is stale. */
export function staleWithin(limit: number) {
  return { 'stale-said-ms': { bound: 'at most', limit, unit: 'ms' } } as const;
}

/** Every registration is in etcd again so long after it can be. */
export function backWithin(limit: number) {
  return { 'registrations-back-ms': { bound: 'at most', limit, unit: 'ms' } } as const;
}

export interface RunOptions {
  readonly signal: AbortSignal;
  /** How long what is to last is to last, where the fault leaves it open. */
  readonly seconds?: number | undefined;
  /** What carries the calls to real servers. Default: grpc-js. */
  readonly transport?: Transport | undefined;
  say(line: string): void;
}

/** Does a fault and ends all that it started. */
export async function runFault(
  fault: Fault,
  { signal, say, seconds: lasting, transport }: RunOptions,
): Promise<Report> {
  const beganAt = performance.now();
  const unhandled = new UnhandledErrors();
  try {
    await using scene = new Scene(
      fault.name,
      signal,
      (line) => say(`${fault.name}: ${line}`),
      lasting,
      transport,
    );
    const measured = await fault.run(scene);
    const seconds = (performance.now() - beganAt) / 1000;
    return { fault, measured: { ...measured, 'unhandled-errors': unhandled.count }, seconds };
  } finally {
    unhandled[Symbol.dispose]();
  }
}

/**
 * The values that are not what they must be, or were not measured, for people.
 *
 * @param timed - false where a machine may be slow: then a time is only to have been measured.
 */
export function broken({ fault, measured }: Report, { timed = true } = {}): string[] {
  return Object.entries(fault.limits).flatMap(([name, { bound, limit, unit }]) => {
    const value = measured[name];
    if (value === undefined) return [`${name} was not measured`];
    const free = unit === 'ms' && !timed;
    const held = free || (bound === 'at most' ? value <= limit : value >= limit);
    return held ? [] : [`${name} is ${value} ${unit}, ${bound} ${limit} is wanted`];
  });
}

/** A fault as a part of the program; `done` hears of its report. */
export function partOf(fault: Fault, done: (report: Report) => void): Part {
  const { name, limits, together } = fault;
  return {
    name,
    targets: Object.keys(limits).map((target) => `${name}/${target}`),
    ...(together !== undefined && { together }),
    async run(run) {
      run.say(`${name}: ${fault.title}`);
      const { signal, seconds } = run;
      const { transport } = transportNamed(run.transport === 'http2' ? 'http2' : 'grpc-js');
      const report = await runFault(fault, { signal, seconds, transport, say: run.say });
      tell(run, report);
      done(report);
    },
  };
}

function tell(run: Run, { fault, measured, seconds }: Report): void {
  for (const [name, { bound, limit, unit }] of Object.entries(fault.limits)) {
    const value = measured[name];
    if (value === undefined) continue;
    const hold = bound === 'at most' ? run.atMost : run.atLeast;
    hold(`${fault.name}/${name}`, value, limit, unit);
  }
  run.record(fault.name, { seconds, ...measured });
}

const COLUMNS = {
  calls: 'calls',
  failed: 'calls-failed',
  'slowest ms': 'slowest-call-ms',
  'stale ms': 'stale-said-ms',
  'converged ms': 'converged-ms',
  missed: 'changes-missed',
  twice: 'applied-twice',
  'registrations back': 'registrations-back',
  'within ms': 'registrations-back-ms',
} as const;

/** All faults and what came of them, in one table. */
export function sumUp(run: Run, reports: readonly Report[]): void {
  const rows = reports.map((report) => {
    const values = Object.values(COLUMNS).map((name) => report.measured[name]);
    const cells = values.map((value) => (value === undefined ? '-' : String(Math.round(value))));
    const verdict = broken(report).length === 0 ? 'held' : 'NOT HELD';
    return [report.fault.name, ...cells, report.seconds.toFixed(0), verdict];
  });
  run.say('');
  run.table(['fault', ...Object.keys(COLUMNS), 'seconds', ''], rows);
}

/** Errors that nobody caught, while it lives. */
class UnhandledErrors implements Disposable {
  count = 0;
  readonly #hear = (error: unknown) => {
    this.count++;
    console.error('nobody caught', error);
  };

  constructor() {
    process.on('unhandledRejection', this.#hear).on('uncaughtException', this.#hear);
  }

  [Symbol.dispose](): void {
    process.off('unhandledRejection', this.#hear).off('uncaughtException', this.#hear);
  }
}
