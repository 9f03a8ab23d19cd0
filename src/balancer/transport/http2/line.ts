import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { joinHostPort } from '../../../base/endpoint.js';
import type { BufferPool } from './frames/buffer-pool.js';
import type { Line } from './grpc/call-home.js';
import type { RequestFields } from './grpc/request-fields.js';
import { Session } from './session/session.js';
import type { SessionOptions, SessionOwner } from './session/session-types.js';
import { type Dialled, type Dialler, type DialOptions, dial } from './socket/dial.js';

/** How long a connection may take to send what it has left when it is over, in milliseconds. */
const FAREWELL_MS = 1_000;

/** Who has a line. */
export interface LineOwner {
  lineReady(line: SocketLine): void;
  lineLimitChanged(line: SocketLine): void;
  /** It takes no more calls; those that it has go on. */
  lineDraining(line: SocketLine, tooManyPings: boolean): void;
  /** It is over, and why. Told once; the calls that it still has hear of it after that. */
  lineOver(line: SocketLine, why: string): void;
}

/** A session on a socket: once a turn, what it has to say is written. */
export class SocketLine implements Line, Dialler, SessionOwner {
  readonly session: Session;
  readonly #pool: BufferPool;
  readonly #clock: SessionOptions['clock'];
  #socket: Socket | undefined;
  readonly #dialled: Dialled;
  /** What the socket has been given and not yet taken. */
  #inFlight: Buffer | undefined;
  #flushing = false;
  #sessionOver = false;
  #told = false;
  #cancelTimer = () => {};

  constructor(
    dialOptions: DialOptions,
    options: SessionOptions,
    readonly fields: RequestFields,
    private readonly owner: LineOwner,
  ) {
    this.#pool = options.pool;
    this.#clock = options.clock;
    this.session = new Session(options, this);
    this.#dialled = dial(dialOptions, this);
  }

  get peer(): string {
    const { remoteAddress, remotePort } = this.#socket ?? {};
    return remoteAddress === undefined ? 'unix' : joinHostPort(remoteAddress, remotePort!);
  }

  get authContext(): object {
    const socket = this.#socket;
    return socket instanceof TLSSocket && socket.authorized
      ? { transportSecurityType: 'ssl', sslPeerCertificate: socket.getPeerCertificate() }
      : {};
  }

  /** Whether it keeps the process alive. */
  keepAlive(on: boolean): void {
    this.#dialled.keepAlive(on);
  }

  /** Ends it as soon as the streams that are open have ended; now, when it is not even connected. */
  retire(why: string): void {
    if (this.session.isReady) this.session.retire(why);
    else {
      this.#dialled.hangUp();
      this.#over(why);
      this.session.lost(why);
    }
  }

  // The socket.

  connected(socket: Socket): void {
    this.#socket = socket;
    this.session.start();
  }

  read(bytes: Buffer, start: number, end: number): void {
    this.session.receive(bytes, start, end);
  }

  closed(why: string): void {
    this.#cancelTimer();
    // First: whoever hears that a call has ended may come with another, which is not for this line.
    this.#over(why);
    this.session.lost(why);
  }

  // The session.

  wantsWrite(): void {
    if (this.#flushing || this.#inFlight !== undefined) return;
    this.#flushing = true;
    process.nextTick(flush, this);
  }

  ready(): void {
    this.owner.lineReady(this);
  }

  limitChanged(): void {
    this.owner.lineLimitChanged(this);
  }

  draining(tooManyPings: boolean): void {
    this.owner.lineDraining(this, tooManyPings);
  }

  over(fault: string | undefined): void {
    this.#sessionOver = true;
    this.wantsWrite();
    this.#cancelTimer = this.#clock.after(FAREWELL_MS, () => this.#dialled.hangUp(), true);
    this.#over(fault ?? 'the connection was closed');
  }

  /** Writes what there is, unless the socket is still at what it was given last. */
  flush(): void {
    this.#flushing = false;
    const socket = this.#socket;
    // What is taken counts as sent: not so where it cannot be.
    if (socket === undefined || this.#inFlight !== undefined || !socket.writable) return;
    while (this.session.pending) {
      const { buffer, length } = this.session.take();
      socket.write(buffer.subarray(0, length), this.#written);
      if (socket.writableLength > 0) {
        this.#inFlight = buffer;
        return;
      }
      this.#pool.give(buffer);
    }
    if (this.#sessionOver) socket.end();
  }

  readonly #written = (): void => {
    const buffer = this.#inFlight;
    if (buffer === undefined || this.#socket!.writableLength > 0) return;
    this.#inFlight = undefined;
    this.#pool.give(buffer);
    this.flush();
  };

  #over(why: string): void {
    if (this.#told) return;
    this.#told = true;
    this.owner.lineOver(this, why);
  }
}

function flush(line: SocketLine): void {
  line.flush();
}
