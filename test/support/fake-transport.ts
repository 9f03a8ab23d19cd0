import { type CallCredentials, Metadata } from '@grpc/grpc-js';
import { Holders } from '../../src/balancer/transport/holders.js';
import type {
  CallListener,
  CallStart,
  Connection,
  ConnectionEvent,
  Holder,
  Reached,
  Transport,
  WireCall,
} from '../../src/balancer/transport/transport.js';
import { type Clock, systemClock } from '../../src/base/clock.js';
import type { Endpoint } from '../../src/base/endpoint.js';
import { Status } from '../../src/base/errors.js';

/** Connections and calls that do what the test says, when it says so, by the contract of every transport. */
export class FakeTransport {
  readonly connections: FakeConnection[] = [];
  /** Every call on the wire, in the order in which they were started. */
  readonly calls: FakeWire[] = [];
  /** Calls get a stream as soon as they are started. Off: the test opens them. */
  opensStreams = true;
  /** Called for every call that is started, in the turn of its start. */
  onStart = () => {};
  /** What making a connection throws. */
  refuses: Error | undefined;

  /** @param clock - by which calls have their deadlines. */
  constructor(readonly clock: Clock = systemClock) {}

  readonly transport: Transport = (endpoint, listener) => {
    if (this.refuses !== undefined) throw this.refuses;
    const connection = new FakeConnection(this, endpoint, listener);
    this.connections.push(connection);
    return connection;
  };

  /** The newest connection to an address. */
  to(address: string): FakeConnection {
    const connection = this.connections.findLast(({ endpoint }) => endpoint.address === address);
    if (connection === undefined) throw new Error(`nobody connects to ${address}`);
    return connection;
  }

  /** The newest call on the wire. */
  get call(): FakeWire {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error('no call is on the wire');
    return call;
  }

  /** The calls that have not ended. */
  get open(): FakeWire[] {
    return this.calls.filter(({ ended }) => !ended);
  }
}

export class FakeConnection implements Connection {
  readonly calls: FakeWire[] = [];
  /** How often it was asked to connect. */
  connects = 0;
  retired = false;
  /** What it told last: that it is READY. */
  isReady = false;
  closed = false;
  streamLimit = Number.POSITIVE_INFINITY;
  /** Why no call of it can be started. */
  refuses: Error | undefined;
  /** What it throws where it must not. */
  throws: Error | undefined;
  readonly #holders = new Holders();

  constructor(
    readonly owner: FakeTransport,
    readonly endpoint: Endpoint,
    private readonly listener: (event: ConnectionEvent) => void,
  ) {}

  get held(): number {
    return this.#holders.size;
  }

  /** It is connected. */
  ready(): this {
    this.isReady = true;
    this.listener({ kind: 'ready' });
    return this;
  }

  /** It was, and is not any more. */
  lost(): this {
    this.isReady = false;
    this.listener({ kind: 'lost' });
    return this;
  }

  /** It could not be. */
  failed(why = 'connect ECONNREFUSED'): this {
    this.isReady = false;
    this.listener({ kind: 'failed', cause: new Error(why) });
    return this;
  }

  /** The server lets so many calls be open. */
  limit(limit: number): this {
    this.streamLimit = limit;
    this.listener({ kind: 'stream-limit', limit });
    return this;
  }

  connect(): void {
    if (!this.retired) this.connects++;
  }

  start(start: CallStart, timeoutMs: number, listener: CallListener): WireCall {
    if (this.throws !== undefined) throw this.throws;
    const wire = new FakeWire(this, start, timeoutMs, listener);
    this.owner.onStart();
    const refuses = this.closed ? new Error('Channel has been shut down') : this.refuses;
    if (refuses !== undefined) {
      wire.fail(Status.UNAVAILABLE, refuses.message);
      return wire;
    }
    this.calls.push(wire);
    this.owner.calls.push(wire);
    if (timeoutMs <= 0) wire.fail(Status.DEADLINE_EXCEEDED, 'Deadline exceeded');
    else if (this.owner.opensStreams) wire.open();
    return wire;
  }

  hold(holder: Holder): this {
    if (this.closed) throw new Error('held when it is closed');
    this.#holders.add(holder);
    return this;
  }

  release(holder: Holder): void {
    this.#holders.delete(holder);
    this.#closeIfDone();
  }

  retire(): void {
    this.retired = true;
    this.#closeIfDone();
  }

  unansweredCalls(): Iterable<Holder> {
    return this.#holders.unary();
  }

  cut(details: string): void {
    this.#holders.cut(details);
  }

  #closeIfDone(): void {
    if (this.retired && this.#holders.size === 0) this.closed = true;
  }
}

/**
 * A call on the wire, which has no peer until it has a stream. Messages come one for each `startRead`; a good status waits
 * for them, any other does not.
 */
export class FakeWire implements WireCall {
  readonly path: string;
  readonly authority: string | undefined;
  readonly metadata: Metadata;
  readonly credentials: CallCredentials | undefined;
  /** In milliseconds since the epoch. */
  readonly deadline: number;
  readonly sent: Buffer[] = [];
  halfClosed = false;
  ended = false;
  /** What it was cancelled with. */
  cancelled: { readonly code: number; readonly details: string } | undefined;
  readonly authContext = undefined;
  #opened = false;
  #reads = 0;
  readonly #unread: Buffer[] = [];
  #status: (() => void) | undefined;
  #unwritten: (() => void)[] = [];

  constructor(
    readonly connection: FakeConnection,
    { path, metadata, credentials, authority }: CallStart,
    readonly timeoutMs: number,
    private readonly listener: CallListener,
  ) {
    this.path = path;
    this.authority = authority;
    this.metadata = metadata.clone();
    this.credentials = credentials;
    this.deadline = connection.owner.clock.epochNow() + timeoutMs;
  }

  get address(): string {
    return this.connection.endpoint.address;
  }

  get peer(): string | undefined {
    return this.#opened ? this.address : undefined;
  }

  /** It gets a stream: the server may see it from now on, and what was sent is written. */
  open(): this {
    this.#opened = true;
    for (const written of this.#unwritten.splice(0)) queueMicrotask(written);
    return this;
  }

  headers(headers: Record<string, string> = {}): this {
    const metadata = metadataOf(headers);
    this.#alive().onHeaders(() => metadata);
    return this;
  }

  message(bytes: Uint8Array): this {
    this.#alive();
    this.#unread.push(Buffer.from(bytes));
    this.#deliver();
    return this;
  }

  end(
    code: number = Status.OK,
    details = '',
    trailers: Record<string, string> = {},
    reached: Reached = this.#opened ? 'maybe' : 'never',
  ): this {
    const listener = this.#alive();
    this.ended = true;
    this.#status = () => listener.onStatus({ code, details, metadata: metadataOf(trailers), reached });
    if (code !== Status.OK) this.#unread.length = 0;
    this.#deliver();
    return this;
  }

  /** As a whole unary call goes. */
  answer(bytes: Uint8Array): this {
    return this.headers().message(bytes).end();
  }

  /** As `max_concurrent_streams` or a server that is going away does. */
  refuse(): this {
    return this.open().end(Status.UNAVAILABLE, 'Stream refused by server', {}, 'refused');
  }

  /** As a connection that is gone before there was a stream. */
  loseUnsent(code: number = Status.UNAVAILABLE): this {
    if (this.#opened) throw new Error('it has a stream');
    return this.end(code, 'No connection established');
  }

  /** As credentials that give no metadata, or metadata that cannot be sent. */
  unsendable(code: number = Status.UNAVAILABLE, details = 'It cannot be sent'): this {
    return this.end(code, details, {}, 'unsendable');
  }

  /** It ends at once, unsent; which is told later. */
  fail(code: number, details: string): void {
    queueMicrotask(() => {
      if (this.ended) return;
      this.ended = true;
      this.listener.onStatus({ code, details, metadata: new Metadata(), reached: 'never' });
    });
  }

  sendMessage(bytes: Buffer, onWritten?: () => void): void {
    if (this.halfClosed) throw new Error('write after end');
    if (this.ended) return;
    this.sent.push(bytes);
    if (onWritten === undefined) return;
    if (this.#opened) queueMicrotask(onWritten);
    else this.#unwritten.push(onWritten);
  }

  halfClose(): void {
    if (this.halfClosed) throw new Error('half-closed twice');
    this.halfClosed = true;
  }

  startRead(): void {
    this.#reads++;
    queueMicrotask(() => this.#deliver());
  }

  cancel(code: number, details: string): void {
    if (this.ended) return;
    this.cancelled = { code, details };
    this.ended = true;
    const reached = this.#opened ? 'maybe' : 'never';
    queueMicrotask(() => this.listener.onStatus({ code, details, metadata: new Metadata(), reached }));
  }

  #alive(): CallListener {
    if (this.ended) throw new Error('the call is over');
    return this.listener;
  }

  #deliver(): void {
    while (this.cancelled === undefined && this.#reads > 0 && this.#unread.length > 0) {
      this.#reads--;
      this.listener.onMessage(this.#unread.shift()!);
    }
    if (this.#unread.length > 0) return;
    const status = this.#status;
    this.#status = undefined;
    status?.();
  }
}

function metadataOf(entries: Record<string, string>): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(entries)) metadata.set(key, value);
  return metadata;
}
