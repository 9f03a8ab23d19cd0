import { FOR_EVER_MS } from '../../base/clock.js';
import { BalancerError } from '../../base/errors.js';
import type { Linked } from '../../base/linked-list.js';
import type { Request } from '../core/dispatcher.js';
import type { Candidate } from '../pickers/picker.js';
import type { Row } from '../table/row.js';
import type { CallHost, Connected } from './call-host.js';
import { expiresAt } from './deadline.js';

/** What a pick by hand may be given. */
export interface PickOptions {
  /** Affinity, for the hashing pickers. */
  readonly key?: string | undefined;
  /** Which partition of the endpoints, for the grouping pickers. */
  readonly group?: string | undefined;
  /** Gives up waiting. */
  readonly signal?: AbortSignal | undefined;
  /** Until when to wait: a date, or milliseconds since the epoch. Default: for ever. */
  readonly deadline?: Date | number | undefined;
  /** The same, from now, in milliseconds. With both, the earlier holds. */
  readonly timeoutMs?: number | undefined;
}

/** A pick by hand that waits for a row. */
export class PickRequest implements Request<Connected> {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
  arrival = 0;
  now = 0;
  enteredAt = 0;
  /** Its deadline bounds the wait alone: what calls are made on the pick, and how long they take, is the caller's. */
  readonly expiresAt = Number.POSITIVE_INFINITY;
  readonly key: string | undefined;
  readonly group: string | undefined;
  readonly exclude: ReadonlySet<Candidate> | undefined = undefined;
  readonly #waitUntil: number;
  #settle: { resolve: (row: Row<Connected>) => void; reject: (error: BalancerError) => void } | undefined;
  #stop = () => {};

  /** @throws {@link BalancerError} INVALID_OPTION, or ABORTED when the signal has aborted already. */
  constructor(
    private readonly host: CallHost,
    private readonly options: PickOptions,
  ) {
    this.key = options.key;
    this.group = options.group;
    this.#waitUntil = expiresAt(host.clock, options);
    if (options.signal?.aborted) throw this.#abortedError();
  }

  /**
   * Waits for a row, and gives it to `take` in the turn in which it is granted: by the time that the promise is seen to
   * resolve, its connection may be another.
   */
  wait<T>(take: (row: Row<Connected>) => T): Promise<T> {
    const { host, options } = this;
    return new Promise((resolve, reject) => {
      this.enteredAt = host.clock.now();
      const expired = () => this.#leave(host.explain(host.clock.now() - this.enteredAt));
      const aborted = () => this.#leave(this.#abortedError());
      this.arrival = host.arrive();
      host.wait(this);
      this.#settle = { resolve: (row) => resolve(take(row)), reject };
      const waitMs = Math.min(this.#waitUntil - this.enteredAt, FOR_EVER_MS);
      const cancelTimer = host.clock.after(waitMs, expired);
      const unbind = options.signal && host.cancellations.onAbort(options.signal, aborted);
      this.#stop = () => {
        cancelTimer();
        unbind?.();
      };
    });
  }

  granted(row: Row<Connected>): void {
    this.#stop();
    this.#settle!.resolve(row);
  }

  refused(error: BalancerError): void {
    this.#stop();
    this.#settle!.reject(error);
  }

  #abortedError(): BalancerError {
    return new BalancerError('ABORTED', 'the pick was aborted', { cause: this.options.signal?.reason });
  }

  #leave(error: BalancerError): void {
    this.host.leave(this);
    this.refused(error);
  }
}
