import type { CallOptions } from '@grpc/grpc-js';
import { type Etcd3, GRPCDeadlineExceededError, isRecoverableError } from 'etcd3';
import { asError, BalancerError } from '../../base/errors.js';
import type { OperationLimits } from '../leases.js';
import { EtcdClient, unavailable } from './client.js';
import type { EtcdSettings } from './settings.js';

/** A client of one member at a time: of the next one, or of the same on a new connection, after it has failed. */
export class FailoverClient {
  readonly #settings: EtcdSettings;
  #client: EtcdClient;
  #closed = false;

  constructor(settings: EtcdSettings) {
    this.#settings = settings;
    this.#client = new EtcdClient(settings);
  }

  /**
   * Runs a call that does no harm when it is made twice. A member that refuses it is no reason to wait: the next one is
   * asked at once, until each was or the time is up. (The rest of a time to live can be shorter than the waits at a
   * member that is gone, and at another that has no leader yet.)
   *
   * @throws as {@link call}, of the member that was asked last.
   */
  async callAny<T>(
    run: (etcd: Etcd3, options: CallOptions) => PromiseLike<T>,
    { timeoutMs, signal }: OperationLimits,
  ): Promise<T> {
    const { clock, members } = this.#settings;
    const until = clock.now() + timeoutMs;
    for (let asked = 1, leftMs = timeoutMs; ; asked++) {
      try {
        return await this.call(run, { timeoutMs: leftMs, ...(signal && { signal }) });
      } catch (error) {
        leftMs = until - clock.now();
        const over = this.#closed || signal?.aborted || leftMs <= 0 || asked === members;
        if (over || !(error instanceof BalancerError)) throw error;
      }
    }
  }

  /**
   * Runs one call, and does not repeat it.
   *
   * @throws BalancerError REGISTRY_UNAVAILABLE when it was the member or the connection that failed; else etcd3's error.
   */
  async call<T>(
    run: (etcd: Etcd3, options: CallOptions) => PromiseLike<T>,
    limits: OperationLimits,
  ): Promise<T> {
    const client = this.#client;
    const startedAt = this.#settings.clock.now();
    try {
      return await client.call(run, limits);
    } catch (thrown) {
      const error = asError(thrown);
      if (!isRecoverableError(error)) throw error;
      // A slow answer to one call of several is no failure of all.
      const slow = error instanceof GRPCDeadlineExceededError && client.heardAt >= startedAt;
      if (!slow && client === this.#client && !this.#closed && !limits.signal?.aborted) {
        this.#client = new EtcdClient(this.#settings);
        client.close();
      }
      throw unavailable(client.host, error);
    }
  }

  close(): void {
    this.#closed = true;
    this.#client.close();
  }
}
