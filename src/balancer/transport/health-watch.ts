import { Metadata, type StatusObject } from '@grpc/grpc-js';
import {
  HealthService,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../../generated/grpc/health/v1/health.js';
import { backoffMs } from '../../base/backoff.js';
import type { Clock } from '../../base/clock.js';
import { Status } from '../../base/errors.js';
import type { Linked } from '../../base/linked-list.js';
import type { Random } from '../../base/random.js';
import type { Connection, Holder, WireCall } from './transport.js';

const { path, requestSerialize, responseDeserialize } = HealthService.watch;
const WATCH_BACKOFF = { baseMs: 1_000, maxMs: 120_000 };
/**
 * A server that changes its mind more often than this in a second is not read any faster: each change may move a row in
 * and out of the READY set, which is work for everybody, and flow control makes the server wait.
 */
const MAX_CHANGES = 10;
const WINDOW_MS = 1_000;

/**
 * Watches the health service on one connection (gRFC A17): it serves when the service says SERVING, or does not know the
 * method. A watch that ends otherwise means that it does not, until another says so.
 */
export class HealthWatch implements Holder {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
  readonly unary = false;
  readonly startedAt = 0;
  readonly byHand = false;
  readonly background = true;
  readonly method = undefined;
  #held: Connection | undefined;
  #wire: WireCall | undefined;
  #failures = 0;
  /** When it said so much lately, oldest first. */
  #changes: number[] = [];
  #stopped = false;
  #cancelTimer = () => {};

  /** Starts to watch. `changed` is told what is known, whenever something is; never synchronously. */
  constructor(
    private readonly connection: Connection,
    private readonly service: string,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly changed: (serving: boolean) => void,
  ) {
    this.#watch();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancelTimer();
    this.#wire?.cancel(Status.CANCELLED, 'Health is not watched any more');
  }

  /** Calls on the connection are being cut: the watch is one. */
  cut(): void {
    this.stop();
  }

  #watch(): void {
    const connection = this.connection.hold(this);
    this.#held = connection;
    const start = { path, metadata: new Metadata() };
    const wire = connection.start(start, Number.POSITIVE_INFINITY, {
      onHeaders: () => {},
      onMessage: (bytes) => this.#said(bytes, wire),
      onStatus: (status) => this.#ended(status),
    });
    this.#wire = wire;
    wire.startRead();
    wire.sendMessage(requestSerialize({ service: this.service }));
    wire.halfClose();
  }

  #said(bytes: Buffer, wire: WireCall): void {
    if (this.#stopped) return;
    const status = statusIn(bytes);
    if (status === undefined) {
      wire.cancel(Status.INTERNAL, 'What the health service said cannot be read');
      return;
    }
    this.#failures = 0;
    this.changed(status === ServingStatus.SERVING);
    const waitMs = this.#tooSoonBy(this.clock.now());
    if (waitMs <= 0) wire.startRead();
    else this.#cancelTimer = this.clock.after(waitMs, () => wire.startRead());
  }

  /** How long to wait before the next is read. */
  #tooSoonBy(now: number): number {
    this.#changes.push(now);
    if (this.#changes.length < MAX_CHANGES) return 0;
    return this.#changes.shift()! + WINDOW_MS - now;
  }

  #ended({ code }: StatusObject): void {
    this.#wire = undefined;
    this.#held?.release(this);
    this.#cancelTimer();
    if (this.#stopped) return;
    if (code === Status.UNIMPLEMENTED) {
      this.changed(true);
      return;
    }
    this.changed(false);
    this.#failures++;
    this.#cancelTimer = this.clock.after(backoffMs(WATCH_BACKOFF, this.#failures, this.random), () =>
      this.#watch(),
    );
  }
}

/** Undefined when it cannot be read: what the listener of a call throws, nobody catches. */
function statusIn(bytes: Buffer): ServingStatus | undefined {
  try {
    return responseDeserialize(bytes).status;
  } catch {
    return undefined;
  }
}
