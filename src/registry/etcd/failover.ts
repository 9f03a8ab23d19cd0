import { BalancerError } from '../../base/errors.js';
import type { OperationLimits } from '../leases.js';
import { connect, unavailable } from './connect.js';
import { type EtcdConnection, EtcdError } from './port.js';
import type { EtcdSettings } from './settings.js';

type Call<T> = (etcd: EtcdConnection, limits: OperationLimits) => Promise<T>;

/** A connection to one member at a time: to the next one, or to the same anew, after it has failed. */
export class FailoverClient {
  readonly #settings: EtcdSettings;
  #connection: EtcdConnection;
  /** Given up for new calls; those that were under way may end on them as they will. */
  readonly #retired = new Set<EtcdConnection>();
  #closed = false;

  constructor(settings: EtcdSettings) {
    this.#settings = settings;
    this.#connection = connect(settings);
  }

  /**
   * Runs a call that does no harm when it is made twice. A member that refuses it is no reason to wait: the next one is
   * asked at once, until each was or the time is up. (The rest of a time to live can be shorter than the waits at a
   * member that is gone, and at another that has no leader yet.)
   *
   * @throws as {@link call}, of the member that was asked last.
   */
  async callAny<T>(run: Call<T>, limits: OperationLimits): Promise<T> {
    const { clock, members } = this.#settings;
    const until = clock.now() + this.#timeoutMs(limits);
    for (let asked = 1; ; asked++) {
      try {
        const timeoutMs = Math.min(this.#timeoutMs(limits), until - clock.now());
        return await this.#once(run, { ...limits, timeoutMs });
      } catch (error) {
        const over = this.#closed || limits.signal?.aborted || until <= clock.now() || asked === members;
        if (over || !(error instanceof BalancerError)) throw error;
      }
    }
  }

  /**
   * Runs one call, and does not repeat it. It may take longer than its limit where etcd was measured to be far away.
   *
   * @throws BalancerError REGISTRY_UNAVAILABLE when it was the member or the connection that failed; else an EtcdError.
   */
  call<T>(run: Call<T>, limits: OperationLimits): Promise<T> {
    return this.#once(run, { ...limits, timeoutMs: this.#timeoutMs(limits) });
  }

  close(): void {
    this.#closed = true;
    this.#connection.close();
    for (const connection of this.#retired) connection.close();
  }

  #timeoutMs({ timeoutMs }: OperationLimits): number {
    return this.#settings.patience.callMs(timeoutMs, { connecting: this.#isConnecting });
  }

  /** Nothing has come yet on the connection that the next call goes to. */
  get #isConnecting(): boolean {
    return this.#connection.heardAt === Number.NEGATIVE_INFINITY;
  }

  async #once<T>(run: Call<T>, limits: OperationLimits): Promise<T> {
    const { clock, patience } = this.#settings;
    const connection = this.#connection;
    const startedAt = clock.now();
    const connecting = this.#isConnecting;
    try {
      const result = await run(connection, limits);
      patience.measured(clock.now() - startedAt, { connecting });
      return result;
    } catch (error) {
      if (!(error instanceof EtcdError) || !error.isOfMember) throw error;
      const timedOut = error.kind === 'timed-out';
      if (timedOut) patience.gaveUp();
      // A slow answer to one call of several is no failure of all.
      const isAlive = timedOut && connection.heardAt >= startedAt;
      if (!isAlive && !limits.signal?.aborted) this.#replace(connection);
      throw unavailable(connection.host, error);
    }
  }

  /** New calls go elsewhere from now on. What is under way is not cut short for what became of another call. */
  #replace(connection: EtcdConnection): void {
    if (connection !== this.#connection || this.#closed) return;
    this.#connection = connect(this.#settings);
    this.#retired.add(connection);
    void connection.retire().then(() => this.#retired.delete(connection));
  }
}
