import {
  type CallCredentials,
  type ChannelInterface,
  type InterceptingListener,
  Metadata,
} from '@grpc/grpc-js';
import type { ConnectivityEvent } from '../../src/balancer/table/row.js';
import type {
  Connection,
  Holder,
  Transport,
  WireCall,
} from '../../src/balancer/transport/grpc-js/transport.js';
import type { Endpoint } from '../../src/base/endpoint.js';
import { Status } from '../../src/base/errors.js';
import { type Linked, LinkedList } from '../../src/base/linked-list.js';

type MessageContext = Parameters<WireCall['sendMessageWithContext']>[0];

/** Connections and calls that do what the test says, when it says so, as grpc-js's would. */
export class FakeTransport {
  readonly connections: FakeConnection[] = [];
  /** Every call on the wire, in the order in which they were started. */
  readonly calls: FakeWire[] = [];
  /** Calls get a stream as soon as they are started. Off: the test opens them. */
  opensStreams = true;
  /** What making a connection throws. */
  refuses: Error | undefined;

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
  readonly target: string;
  readonly calls: FakeWire[] = [];
  /** How often it was asked to connect. */
  connects = 0;
  retired = false;
  /** What it told last: that it is READY. */
  isReady = false;
  closed = false;
  /** What `createCall` throws. */
  refuses: Error | undefined;
  readonly #holders = new LinkedList<Holder>();

  constructor(
    readonly owner: FakeTransport,
    readonly endpoint: Endpoint,
    private readonly listener: (event: ConnectivityEvent) => void,
  ) {
    this.target = `dns:${endpoint.address}`;
  }

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

  connect(): void {
    if (!this.retired) this.connects++;
  }

  createCall(...[path, deadline, host]: Parameters<ChannelInterface['createCall']>): WireCall {
    if (this.refuses !== undefined) throw this.refuses;
    if (this.closed) throw new Error('Channel has been shut down');
    const wire = new FakeWire(this, path, deadline, host);
    this.calls.push(wire);
    this.owner.calls.push(wire);
    return wire;
  }

  hold(holder: Holder): this {
    if (this.closed) throw new Error('held when it is closed');
    this.#holders.push(holder);
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

  oldestCallAt(): number | undefined {
    return this.#holding.find(({ unary }) => unary)?.startedAt;
  }

  cut(details: string): void {
    for (const holder of this.#holding) holder.cut(details);
  }

  get #holding(): Holder[] {
    const holders: Holder[] = [];
    for (let next: Linked | undefined = this.#holders.first; next !== undefined; next = next.after) {
      holders.push(next as Holder);
    }
    return holders;
  }

  #closeIfDone(): void {
    if (this.retired && this.#holders.size === 0) this.closed = true;
  }
}

/**
 * A call on the wire. As in grpc-js, its peer is the target's name until it has a stream; messages come one for each
 * `startRead`; a good status waits for them, any other does not; and nothing comes from within a call of its methods.
 */
export class FakeWire implements WireCall {
  metadata = new Metadata();
  credentials: CallCredentials | undefined;
  readonly sent: Buffer[] = [];
  halfClosed = false;
  ended = false;
  /** What it was cancelled with. */
  cancelled: { readonly code: number; readonly details: string } | undefined;
  #listener: InterceptingListener | undefined;
  #opened = false;
  #reads = 0;
  readonly #unread: Buffer[] = [];
  #status: (() => void) | undefined;
  #unwritten: (() => void)[] = [];

  constructor(
    readonly connection: FakeConnection,
    readonly path: string,
    readonly deadline: Date | number,
    readonly host: string | null | undefined,
  ) {}

  get address(): string {
    return this.connection.endpoint.address;
  }

  /** It gets a stream: the server may see it from now on, and what was sent is written. */
  open(): this {
    this.#opened = true;
    for (const written of this.#unwritten.splice(0)) queueMicrotask(written);
    return this;
  }

  headers(headers: Record<string, string> = {}): this {
    this.#alive().onReceiveMetadata(metadataOf(headers));
    return this;
  }

  message(bytes: Uint8Array): this {
    this.#alive();
    this.#unread.push(Buffer.from(bytes));
    this.#deliver();
    return this;
  }

  end(code: number = Status.OK, details = '', trailers: Record<string, string> = {}): this {
    const listener = this.#alive();
    this.ended = true;
    this.#status = () => listener.onReceiveStatus({ code, details, metadata: metadataOf(trailers) });
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
    return this.open().end(Status.UNAVAILABLE, 'Stream refused by server');
  }

  /** As a connection that is gone before there was a stream. */
  loseUnsent(code: number = Status.UNAVAILABLE): this {
    if (this.#opened) throw new Error('it has a stream');
    return this.end(code, 'No connection established');
  }

  start(metadata: Metadata, listener: InterceptingListener): void {
    this.metadata = metadata.clone();
    this.#listener = listener;
    if (this.connection.owner.opensStreams) this.open();
  }

  setCredentials(credentials: CallCredentials): void {
    this.credentials = credentials;
  }

  sendMessageWithContext(context: MessageContext, message: Buffer): void {
    if (this.halfClosed) throw new Error('write after end');
    this.sent.push(message);
    const written = () => (context.callback as (() => void) | undefined)?.();
    if (this.#opened) queueMicrotask(written);
    else this.#unwritten.push(written);
  }

  halfClose(): void {
    if (this.halfClosed) throw new Error('half-closed twice');
    this.halfClosed = true;
  }

  startRead(): void {
    this.#reads++;
    queueMicrotask(() => this.#deliver());
  }

  cancelWithStatus(code: number, details: string): void {
    if (this.ended) return;
    this.cancelled = { code, details };
    this.ended = true;
    queueMicrotask(() => this.#listener?.onReceiveStatus({ code, details, metadata: new Metadata() }));
  }

  getPeer(): string {
    return this.#opened ? this.address : this.connection.target;
  }

  getCallNumber(): number {
    return this.connection.calls.indexOf(this);
  }

  getAuthContext(): null {
    return null;
  }

  #alive(): InterceptingListener {
    if (this.ended) throw new Error('the call is over');
    if (this.#listener === undefined) throw new Error('the call was not started');
    return this.#listener;
  }

  #deliver(): void {
    while (this.cancelled === undefined && this.#reads > 0 && this.#unread.length > 0) {
      this.#reads--;
      this.#listener!.onReceiveMessage(this.#unread.shift()!);
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
