import { status } from '@grpc/grpc-js';
import type { Stage } from './stage.js';

/** One call that is over. Times are those of `performance.now()`. */
export interface Made {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly ok: boolean;
  /** The gRPC status code; -1 of a call that ended well, and was not answered in full. */
  readonly code: number;
  /** Of a failed call through a stub: who had it last. */
  readonly address: string | undefined;
}

/** Makes one call, and resolves when it has been answered in full. */
export type Call = (number: number) => Promise<unknown>;

/** Calls are made in small bursts, this often, in milliseconds: at 500 a second, one at a time. */
const TICK_MS = 2;
const SHOWN_EVERY_MS = 500;

/** Calls at a steady rate, whatever becomes of them, and a record of each. */
export class Load {
  readonly calls: Made[] = [];
  /** What the first call that failed ended with. */
  firstFailure: string | undefined;
  #made = 0;
  #failed = 0;
  #perSecond: number;
  /** Calls due are counted from here. */
  #since = performance.now();
  #madeBefore = 0;
  readonly #underWay = new Set<Promise<void>>();
  readonly #timers: NodeJS.Timeout[];

  constructor(
    stage: Stage,
    perSecond: number,
    private readonly call: Call,
    name = 'calls',
  ) {
    this.#perSecond = perSecond;
    const show = () =>
      stage.progress(`${this.#made} ${name}, ${this.#underWay.size} under way, ${this.#failed} failed`);
    this.#timers = [setInterval(() => this.#makeDue(), TICK_MS), setInterval(show, SHOWN_EVERY_MS)];
    stage.atEnd(() => this.#halt());
  }

  /** From now on, another rate. */
  rate(perSecond: number): void {
    this.#makeDue();
    this.#perSecond = perSecond;
    this.#since = performance.now();
    this.#madeBefore = this.#made;
  }

  /** Makes no more calls; resolves when those under way are over. */
  async stop(): Promise<void> {
    this.#halt();
    await Promise.all(this.#underWay);
  }

  get failures(): Made[] {
    return failed(this.calls);
  }

  /** The calls that began in a span of time. To be asked when they are over. */
  begun(from: number, until: number): Made[] {
    return this.calls.filter(({ startedAt }) => startedAt >= from && startedAt < until);
  }

  #halt(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #makeDue(): void {
    const due = this.#madeBefore + Math.floor(((performance.now() - this.#since) * this.#perSecond) / 1000);
    while (this.#made < due) {
      const number = this.#made++;
      // Each in a turn of its own: a call that ends at once is not to wait for the next ones to begin.
      const call = new Promise<void>((resolve) => setImmediate(() => resolve(this.#make(number))));
      this.#underWay.add(call);
      void call.then(() => this.#underWay.delete(call));
    }
  }

  async #make(number: number): Promise<void> {
    const startedAt = performance.now();
    let failure: unknown;
    try {
      await this.call(number);
    } catch (thrown) {
      failure = thrown;
    }
    const endedAt = performance.now();
    if (failure === undefined) {
      this.calls.push({ startedAt, endedAt, ok: true, code: status.OK, address: undefined });
      return;
    }
    const { code = -1, address, message } = failure as { code?: number; address?: string; message?: string };
    this.calls.push({ startedAt, endedAt, ok: false, code, address });
    this.#failed++;
    this.firstFailure ??= message;
  }
}

export function failed(calls: readonly Made[]): Made[] {
  return calls.filter(({ ok }) => !ok);
}

/** How many of the calls failed, in per cent. */
export function percentFailed(calls: readonly Made[]): number {
  return (100 * failed(calls).length) / calls.length;
}

/** A quantile of how long the calls took that were answered, in milliseconds. */
export function latencyMs(calls: readonly Made[], quantile: number): number {
  const sorted = calls
    .filter(({ ok }) => ok)
    .map(({ startedAt, endedAt }) => endedAt - startedAt)
    .sort((a, b) => a - b);
  return sorted[Math.ceil(quantile * sorted.length) - 1] ?? Number.NaN;
}

/** How often each status code came of them that failed, by name. */
export function codesOf(calls: readonly Made[]): Record<string, number> {
  const codes: Record<string, number> = {};
  for (const { code } of failed(calls)) {
    const name = code === -1 ? 'NOT_ANSWERED_IN_FULL' : (status[code] ?? String(code));
    codes[name] = (codes[name] ?? 0) + 1;
  }
  return codes;
}
