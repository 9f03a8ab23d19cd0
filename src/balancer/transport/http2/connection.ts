import { authorityOf as nameOf } from '../../../base/authority.js';
import type { Endpoint } from '../../../base/endpoint.js';
import { asError, BalancerError, Status } from '../../../base/errors.js';
import { Holders } from '../holders.js';
import type { CallListener, CallStart, Connection, ConnectionEvent, Holder, WireCall } from '../transport.js';
import { Http2Call } from './grpc/call.js';
import type { CallHome } from './grpc/call-home.js';
import { RequestFields } from './grpc/request-fields.js';
import { type LineOwner, SocketLine } from './line.js';
import type { Shared } from './shared.js';
import { proxyFor } from './socket/proxy.js';
import { authorityOf, type Target, targetOf } from './socket/target.js';

const CLOSED = 'The connection was closed';

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly line: SocketLine; readonly waiting: Set<Http2Call> }
  | { readonly kind: 'ready'; readonly line: SocketLine };

const IDLE: State = { kind: 'idle' };

/** A connection of the port: a line to the server, and another when that is lost or goes away. */
export class Http2Connection implements Connection, CallHome, LineOwner {
  readonly clock: CallHome['clock'];
  readonly authority: string;
  readonly credentials: CallHome['credentials'];
  readonly maxSend: number;
  readonly maxReceive: number;
  readonly compression: CallHome['compression'];
  readonly #target: Target;
  /** What the endpoint is called, where it is not its address. */
  readonly #name: ReturnType<typeof nameOf>;
  readonly #holders = new Holders();
  #state: State = IDLE;
  /** Lines that the server has left, and on which calls still run. */
  readonly #former = new Set<SocketLine>();
  #retired = false;
  #keepAliveMs: number;
  #toldLimit = Number.POSITIVE_INFINITY;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly shared: Shared,
    private readonly listener: (event: ConnectionEvent) => void,
  ) {
    const { settings } = shared;
    this.#target = targetOf(endpoint.address);
    this.clock = settings.clock;
    this.#name = nameOf(endpoint);
    const name = this.#name?.authority;
    this.authority = settings.authority ?? settings.targetName ?? name ?? authorityOf(this.#target);
    this.credentials = settings.credentials;
    this.maxSend = settings.maxSend;
    this.maxReceive = settings.maxReceive;
    this.compression = settings.compression;
    this.#keepAliveMs = settings.keepAlive.timeMs;
  }

  // The port.

  connect(): void {
    if (this.#retired) return;
    if (this.#state.kind === 'ready') {
      // Whoever asks does not know it.
      const { line } = this.#state;
      queueMicrotask(() => {
        if (this.#state.kind === 'ready' && this.#state.line === line) this.#tell({ kind: 'ready' });
      });
    } else if (this.#state.kind === 'idle') this.#dial();
  }

  start(call: CallStart, timeoutMs: number, listener: CallListener): WireCall {
    const started = new Http2Call(this, call, timeoutMs, listener);
    started.begin();
    return started;
  }

  get streamLimit(): number {
    return this.#state.kind === 'ready' ? this.#state.line.session.streamLimit : Number.POSITIVE_INFINITY;
  }

  hold(holder: Holder): Connection {
    const { waitedFor } = this.#holders;
    this.#holders.add(holder);
    if (!waitedFor) this.#keepAlive();
    return this;
  }

  release(holder: Holder): void {
    this.#holders.delete(holder);
    if (!this.#holders.waitedFor) this.#keepAlive();
    if (this.#retired) this.#close();
  }

  get held(): number {
    return this.#holders.size;
  }

  retire(): void {
    this.#retired = true;
    this.#close();
  }

  unansweredCalls(): Iterable<Holder> {
    return this.#holders.unary();
  }

  cut(details: string): void {
    this.#holders.cut(details);
  }

  // The calls.

  enter(call: Http2Call): void {
    if (this.#state.kind === 'ready') call.board(this.#state.line);
    else if (this.#state.kind === 'connecting') this.#state.waiting.add(call);
    else call.turnAway(Status.UNAVAILABLE, this.#retired ? CLOSED : 'The connection is not there');
  }

  leave(call: Http2Call): void {
    if (this.#state.kind === 'connecting') this.#state.waiting.delete(call);
  }

  // The lines.

  lineReady(line: SocketLine): void {
    if (this.#state.kind !== 'connecting' || this.#state.line !== line) return;
    const { waiting } = this.#state;
    this.#state = { kind: 'ready', line };
    for (const call of waiting) call.board(line);
    this.lineLimitChanged(line);
    this.#tell({ kind: 'ready' });
  }

  lineLimitChanged(line: SocketLine): void {
    if (this.#state.kind !== 'ready' || this.#state.line !== line) return;
    const limit = line.session.streamLimit;
    if (limit === this.#toldLimit) return;
    this.#toldLimit = limit;
    this.#tell({ kind: 'stream-limit', limit });
  }

  lineDraining(line: SocketLine, tooManyPings: boolean): void {
    // gRFC A8: whoever is told so pings half as often.
    if (tooManyPings) this.#keepAliveMs *= 2;
    this.#former.add(line);
    this.#lost(line, 'The server went away');
  }

  lineOver(line: SocketLine, why: string): void {
    this.#former.delete(line);
    this.#lost(line, why);
  }

  #lost(line: SocketLine, why: string): void {
    const state = this.#state;
    if (state.kind === 'idle' || state.line !== line) return;
    this.#state = IDLE;
    if (state.kind === 'ready') {
      this.#tell({ kind: 'lost' });
      return;
    }
    for (const call of state.waiting) call.turnAway(Status.UNAVAILABLE, why);
    this.#failed(why);
  }

  #failed(why: string): void {
    const cause = new BalancerError('CONNECT_FAILED', `${this.endpoint.address}: ${why}`);
    this.#tell({ kind: 'failed', cause });
  }

  /** The process, while somebody waits for a call; not for those in the background. */
  #keepAlive(): void {
    const { waitedFor } = this.#holders;
    if (this.#state.kind !== 'idle') this.#state.line.keepAlive(waitedFor);
    for (const line of this.#former) line.keepAlive(waitedFor);
  }

  #tell(event: ConnectionEvent): void {
    if (!this.#retired) this.listener(event);
  }

  #dial(): void {
    const { settings, pool, cache, sessions, readBuffer } = this.shared;
    try {
      const tls = settings.tls?.(this.endpoint);
      const line = new SocketLine(
        {
          address: this.endpoint.address,
          target: this.#target,
          tls,
          targetName: settings.targetName ?? this.#name?.serverName,
          sessions,
          proxy: settings.proxy ? proxyFor(this.#target, process.env) : undefined,
          readBuffer,
        },
        {
          clock: this.clock,
          pool,
          cache,
          maxHeaderListSize: settings.maxHeaderListSize,
          streamWindow: settings.streamWindow,
          connectionWindow: settings.connectionWindow,
          settingsTimeoutMs: settings.settingsTimeoutMs,
          keepAlive: { ...settings.keepAlive, timeMs: this.#keepAliveMs },
        },
        new RequestFields({
          scheme: tls === undefined ? 'http' : 'https',
          authority: this.authority,
          userAgent: settings.userAgent,
          compression: settings.compression,
        }),
        this,
      );
      this.#state = { kind: 'connecting', line, waiting: new Set() };
      this.#keepAlive();
    } catch (thrown) {
      // Certificates that cannot be read, say.
      queueMicrotask(() => this.#failed(asError(thrown).message));
    }
  }

  /** Unless a pick by hand still holds it. Streams that are open finish first. */
  #close(): void {
    if (this.#holders.byHand > 0 || this.#state.kind === 'idle') return;
    const state = this.#state;
    this.#state = IDLE;
    if (state.kind === 'connecting')
      for (const call of state.waiting) call.turnAway(Status.UNAVAILABLE, CLOSED);
    if (state.kind === 'ready') this.#former.add(state.line);
    state.line.retire(CLOSED);
  }
}
