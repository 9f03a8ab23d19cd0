import { FOR_EVER_MS, inBackground } from '../../base/clock.js';
import { BalancerError } from '../../base/errors.js';
import type { Connected } from '../calls/call-host.js';
import { poolChannel } from '../calls/channel.js';
import { expiresAt } from '../calls/deadline.js';
import { type ClientConstructor, clientOn, HandPick, type PoolPick } from '../calls/hand-pick.js';
import { knownMethods, type ServiceDefinition } from '../calls/method.js';
import { type PickOptions, PickRequest } from '../calls/pick-request.js';
import { makeStub, type Stub } from '../calls/stub.js';
import { type PickerName, pickerFactory } from '../pickers/index.js';
import type { PickerFactory } from '../pickers/picker.js';
import type { Row } from '../table/row.js';
import type { PoolEvent } from './events.js';
import { type PoolOptions, poolHostOptions } from './options.js';
import { PoolHost } from './pool-host.js';
import { followRegistry } from './registry-watch.js';
import type { PoolSnapshot } from './snapshot.js';

/**
 * A load-balanced client of one service: a connection to each of its endpoints, kept in step with the registry, and a
 * picker that chooses the one for each call. Calls wait, bounded, while nothing is READY.
 *
 * It starts at once: it watches the registry and connects. `close()` it when done, or hold it by `await using`. One that
 * nobody closes lets the process end once no call of it is open or waiting, as a grpc-js client does; see `keepAlive`.
 */
export class Pool implements AsyncDisposable {
  /** The pool as a grpc-js channel, for whatever takes one. Closing it does nothing. */
  readonly channel: ReturnType<typeof poolChannel>;
  readonly #host: PoolHost;
  readonly #watch = new AbortController();
  readonly #following: Promise<void>;
  /** Ends what `keepAlive` has begun. */
  readonly #letGo: () => void;

  /** @throws {@link BalancerError} INVALID_OPTION or UNKNOWN_PICKER, naming the option and what it must be. */
  constructor(options: PoolOptions) {
    const hostOptions = poolHostOptions(options);
    const { service, clock, random } = hostOptions;
    this.#host = new PoolHost(hostOptions);
    this.channel = poolChannel(this.#host);
    this.#letGo = options.keepAlive === true ? clock.after(FOR_EVER_MS, () => {}) : () => {};
    this.#following = followRegistry(
      options.registry,
      service,
      this.#watch.signal,
      { clock: inBackground(clock), random },
      (event) => this.#host.heard(event),
    );
  }

  /**
   * The right to make one call, on the subchannel that the picker chooses. Waits while nothing is READY with room.
   *
   * @throws {@link BalancerError} QUEUE_FULL, CLOSED, ABORTED, DEADLINE, NO_ENDPOINTS, PICKER_FAILED, INVALID_OPTION.
   */
  async pick(options: PickOptions = {}): Promise<PoolPick> {
    const request = new PickRequest(this.#host, options);
    const row = this.#host.tryPick(request);
    return row === undefined ? request.wait((granted) => this.#handPick(granted)) : this.#handPick(row);
  }

  /** The same without waiting: undefined when nothing is READY with room, and while others wait for it. */
  tryPick(options: PickOptions = {}): PoolPick | undefined {
    const row = this.#host.tryPick(new PickRequest(this.#host, options));
    return row && this.#handPick(row);
  }

  /** A typed client of a service: promises and async generators, every call picked. */
  stub<Service extends ServiceDefinition>(service: Service): Stub<Service> {
    return makeStub(this.#host, service);
  }

  /** A generated grpc-js client, every call of which is picked. Closing it leaves the pool as it is. */
  client<C>(Client: ClientConstructor<C>): C {
    return clientOn(Client, poolChannel(this.#host, knownMethods(Client, this.#host.policies)));
  }

  /**
   * Puts another picker in place: no call fails, no pending count is lost.
   *
   * @throws {@link BalancerError} UNKNOWN_PICKER; the picker stays what it was.
   */
  setPicker(picker: PickerName | PickerFactory): void {
    this.#host.setPicker(pickerFactory(picker));
  }

  /**
   * Resolves when a subchannel is READY.
   *
   * @throws {@link BalancerError} CLOSED, ABORTED, DEADLINE, NO_ENDPOINTS, INVALID_OPTION.
   */
  async ready({ signal, timeoutMs }: { signal?: AbortSignal; timeoutMs?: number } = {}): Promise<void> {
    const host = this.#host;
    const { clock, connectivity, cancellations } = host;
    const startedAt = clock.now();
    const waitMs = Math.min(expiresAt(clock, { timeoutMs }) - startedAt, FOR_EVER_MS);
    await new Promise<void>((resolve, reject) => {
      const aborted = () => {
        unbind();
        stop();
        reject(
          new BalancerError('ABORTED', 'gave up waiting for the pool to be ready', { cause: signal?.reason }),
        );
      };
      let unbind = () => {};
      let stop = () => {};
      if (signal?.aborted) return aborted();
      if (signal !== undefined) unbind = cancellations.onAbort(signal, aborted);
      stop = connectivity.until(
        (state) => state === 'ready' || state === 'shutdown',
        waitMs,
        (reached) => {
          unbind();
          if (!reached) reject(host.explain(clock.now() - startedAt));
          else if (connectivity.state === 'ready') resolve();
          else reject(host.closedError());
        },
      );
    });
  }

  /** What the pool knows now. Costs O(endpoints). */
  snapshot(): PoolSnapshot {
    return this.#host.snapshot();
  }

  /**
   * What happens from now on, until the pool is closed, the loop is left or the signal aborts. To wait for it keeps no
   * process alive.
   */
  events(signal?: AbortSignal): AsyncIterableIterator<PoolEvent> {
    return this.#host.events.subscribe(signal);
  }

  /**
   * Stops: calls that wait fail with CLOSED, calls in flight go on for `drainTimeoutMs`, then are cancelled with
   * UNAVAILABLE. Resolves when nothing is left, not a timer nor a socket. Safe to call again.
   */
  async close(): Promise<void> {
    this.#watch.abort();
    this.#letGo();
    await Promise.all([this.#host.close(), this.#following]);
    this.#host.tell({ kind: 'closed', at: this.#host.clock.now() });
    this.#host.events.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #handPick(row: Row<Connected>): PoolPick {
    return new HandPick(row, this.#host);
  }
}
