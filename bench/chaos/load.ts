import { GreeterService } from '../../generated/helloworld.js';
import type { Pool } from '../../src/balancer/pool/pool.js';

export interface LoadOptions {
  readonly perSecond: number;
  /** How long one call may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** Calls are made in small bursts, this often: timers are not exact enough for one at a time. In milliseconds. */
const TICK_MS = 10;

/** Calls through a pool at a steady rate, whatever becomes of them. */
export class Load {
  made = 0;
  failed = 0;
  /** The slowest call that was answered, in milliseconds. */
  slowestMs = 0;
  /** What the first call that failed ended with. */
  firstFailure: string | undefined;
  readonly #call: () => Promise<unknown>;
  readonly #perSecond: number;
  readonly #beganAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #underWay = new Set<Promise<void>>();

  /** Unary calls to the servers of a pool. */
  static of(pool: Pool, { perSecond, timeoutMs }: LoadOptions): Load {
    const greeter = pool.stub(GreeterService);
    return new Load(perSecond, () => greeter.sayHello({ name: 'chaos' }, { timeoutMs }));
  }

  constructor(perSecond: number, call: () => Promise<unknown>) {
    this.#call = call;
    this.#perSecond = perSecond;
    this.#timer = setInterval(() => this.#makeDue(), TICK_MS);
  }

  /** Makes no more calls; resolves when those under way are over. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
  }

  #makeDue(): void {
    const due = Math.floor(((performance.now() - this.#beganAt) * this.#perSecond) / 1000);
    while (this.made < due) {
      this.made++;
      const call = this.#make();
      this.#underWay.add(call);
      void call.then(() => this.#underWay.delete(call));
    }
  }

  async #make(): Promise<void> {
    const beganAt = performance.now();
    try {
      await this.#call();
      this.slowestMs = Math.max(this.slowestMs, performance.now() - beganAt);
    } catch (thrown) {
      this.failed++;
      this.firstFailure ??= thrown instanceof Error ? thrown.message : String(thrown);
    }
  }
}
