import { Metadata } from '@grpc/grpc-js';
import type { GreeterService } from '../../generated/helloworld.js';
import { CallError } from '../../src/balancer/calls/call-error.js';
import type { Stub } from '../../src/balancer/calls/stub.js';
import { CALL_NUMBER } from '../../test/support/server-protocol.js';

/** One call. Times are those of `performance.now()`. */
export interface Call {
  readonly number: number;
  readonly startedAt: number;
  /** Absent while it is under way. */
  settledAt?: number;
  /** Who answered; or, of a call that failed, who had it last. */
  server?: string;
  /** Absent of a call that was answered. */
  error?: Error;
}

/** Far longer than any call should wait or take, in milliseconds. */
const CALL_TIMEOUT_MS = 15_000;
/** Calls are sent in small bursts, this often: timers are not exact enough for one at a time. In milliseconds. */
const TICK_MS = 40;

/** Calls at a steady rate, whatever becomes of them, each with its number. */
export class Load {
  /** Every call, by number. */
  readonly calls: Call[] = [];
  readonly #greeter: Stub<typeof GreeterService>;
  readonly #perSecond: number;
  readonly #beganAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #endedAt: number | undefined;
  #underWay = 0;
  #settled: (() => void)[] = [];

  constructor(greeter: Stub<typeof GreeterService>, perSecond: number) {
    this.#greeter = greeter;
    this.#perSecond = perSecond;
    this.#timer = setInterval(() => this.#sendDue(), TICK_MS);
  }

  get underWay(): number {
    return this.#underWay;
  }

  get failed(): number {
    return this.calls.reduce((failed, { error }) => failed + (error === undefined ? 0 : 1), 0);
  }

  /** Calls begun per second, from the first on. */
  get rate(): number {
    return (this.calls.length * 1000) / ((this.#endedAt ?? performance.now()) - this.#beganAt);
  }

  /** The next `count` calls, once all of them are over. */
  async window(count: number, signal: AbortSignal): Promise<readonly Call[]> {
    const from = this.calls.length;
    const taken = () => this.calls.slice(from, from + count);
    await this.#until(() => this.calls.length >= from + count && taken().every(isOver), signal);
    return taken();
  }

  /** Resolves once every call that was begun before `at` is over. */
  async settledBefore(at: number, signal: AbortSignal): Promise<void> {
    await this.#until(() => this.calls.every((call) => call.startedAt >= at || isOver(call)), signal);
  }

  /**
   * Resolves in the very turn in which the last call of a burst ends, with half of the time to the next burst left.
   * Where the machine is too busy for that, after a second.
   */
  async quiet(signal: AbortSignal): Promise<void> {
    const { length } = this.calls;
    const quiet = () =>
      this.calls.length > length &&
      this.#underWay === 0 &&
      performance.now() < (this.calls.at(-1)?.startedAt ?? 0) + TICK_MS / 2;
    const enough = new AbortController();
    signal.addEventListener('abort', () => enough.abort(), { once: true });
    const timer = setTimeout(() => enough.abort(), 1_000);
    await this.#until(quiet, enough.signal).catch(() => {});
    clearTimeout(timer);
    signal.throwIfAborted();
  }

  /** Begins no more calls. Those under way go on. */
  stop(): void {
    clearInterval(this.#timer);
    this.#endedAt ??= performance.now();
  }

  #sendDue(): void {
    const due = Math.floor(((performance.now() - this.#beganAt) * this.#perSecond) / 1000);
    while (this.calls.length < due) {
      const call: Call = { number: this.calls.length, startedAt: performance.now() };
      this.calls.push(call);
      this.#underWay += 1;
      void this.#send(call);
    }
  }

  async #send(call: Call): Promise<void> {
    const metadata = new Metadata();
    metadata.set(CALL_NUMBER, String(call.number));
    try {
      const reply = await this.#greeter.sayHello(
        { name: `world ${call.number}` },
        { metadata, timeoutMs: CALL_TIMEOUT_MS },
      );
      call.server = reply.message.slice(reply.message.lastIndexOf(' ') + 1);
    } catch (thrown) {
      call.error = thrown as Error;
      if (thrown instanceof CallError && thrown.address !== undefined) call.server = thrown.address;
    }
    call.settledAt = performance.now();
    this.#underWay -= 1;
    for (const look of this.#settled) look();
  }

  /** Looks at the condition whenever a call has ended. */
  #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#settled = this.#settled.filter((other) => other !== look);
        signal.removeEventListener('abort', abort);
      };
      const look = () => {
        if (!condition()) return;
        leave();
        resolve();
      };
      const abort = () => {
        leave();
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#settled.push(look);
      if (signal.aborted) abort();
      else look();
    });
  }
}

export function isOver(call: Call): boolean {
  return call.settledAt !== undefined;
}

/** How many of the calls were answered by whom, with those of whom it is expected, by name. */
export function answersBy(
  calls: readonly Call[],
  expected: readonly string[],
  nameOf: (address: string) => string,
): Record<string, number> {
  const counts = Object.fromEntries(expected.map((address) => [nameOf(address), 0]));
  for (const { server, error } of calls) {
    if (error !== undefined || server === undefined) continue;
    const name = nameOf(server);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** The most minus the fewest: 0 or 1 where all got equally many. */
export function spread(counts: Readonly<Record<string, number>>): number {
  const values = Object.values(counts);
  return Math.max(...values) - Math.min(...values);
}
