import { Output, type Written } from '../frames/output.js';
import { ConnectionError, ErrorCode, errorName, MAX_31_BITS, PREFACE, Setting } from '../frames/protocol.js';
import { Encoder } from '../hpack/encoder.js';
import { abortOpen, abortStream } from './abort-stream.js';
import { Inflow } from './inflow.js';
import { KeepAlive } from './keepalive.js';
import { Patience } from './patience.js';
import { connectionError, Receiver } from './receiver.js';
import { OUTPUT_MARK, SendQueue } from './send-queue.js';
import type { SessionOptions, SessionOwner } from './session-types.js';
import { applySettings, defaultSettings } from './settings.js';
import type { Stream } from './stream.js';
import { WaitingStreams } from './waiting-streams.js';
import { writeHeaders } from './write-headers.js';

/**
 * The client's side of an HTTP/2 connection (RFC 9113): bytes in, bytes and events out. It knows no socket: its owner gives
 * it what came, and takes what is to go.
 */
export class Session {
  readonly output: Output;
  readonly queue: SendQueue;
  readonly patience: Patience;
  readonly inflow: Inflow;
  readonly peer = defaultSettings();
  readonly streams = new Map<number, Stream>();
  isReady = false;
  /** No more streams: GOAWAY has come, or we close, or there are no more ids. */
  isDraining = false;
  isOver = false;
  /** When something came last, in monotonic milliseconds. */
  readAt: number;
  nextId = 1;
  readonly #encoder: Encoder;
  readonly #receiver: Receiver;
  readonly #keepAlive: KeepAlive;
  readonly #waiting = new WaitingStreams();
  #cancelSettingsTimer = () => {};
  /** What the server said when it went away. */
  #farewell = '';

  constructor(
    private readonly options: SessionOptions,
    private readonly owner: SessionOwner,
  ) {
    this.readAt = options.clock.now();
    this.output = new Output(options.pool);
    this.patience = new Patience(options.clock);
    this.queue = new SendQueue(this.output, this.patience);
    this.inflow = new Inflow(this.output, options.streamWindow, options.connectionWindow);
    this.#encoder = new Encoder(this.output);
    this.#receiver = new Receiver(this, options.cache, options.maxHeaderListSize);
    this.#keepAlive = new KeepAlive(this, options.keepAlive, options.clock);
  }

  /** Says what a client says first. */
  start(): void {
    const { clock, streamWindow, maxHeaderListSize, settingsTimeoutMs } = this.options;
    this.output.latin1(PREFACE);
    this.output.settings([
      [Setting.HEADER_TABLE_SIZE, 0],
      [Setting.ENABLE_PUSH, 0],
      [Setting.INITIAL_WINDOW_SIZE, streamWindow],
      [Setting.MAX_HEADER_LIST_SIZE, maxHeaderListSize],
    ]);
    this.inflow.start();
    const late = `SETTINGS were not acknowledged in ${settingsTimeoutMs} ms`;
    const giveUp = () => this.fail(new ConnectionError(ErrorCode.SETTINGS_TIMEOUT, late));
    this.#cancelSettingsTimer = clock.after(settingsTimeoutMs, giveUp, true);
    this.wrote();
  }

  /** Takes in what came. Never throws. The bytes are not read after it returns. */
  receive(bytes: Buffer, start: number, end: number): void {
    if (this.isOver) return;
    this.readAt = this.options.clock.now();
    try {
      this.#receiver.read(bytes, start, end);
    } catch (thrown) {
      this.fail(thrown);
    }
    this.wrote();
  }

  /** What is to be written now, which is the taker's. There may be more: see {@link pending}. */
  take(): Written {
    this.patience.paid();
    if (!this.isOver) {
      this.inflow.settle();
      this.#openWaiting();
      this.queue.fill();
    }
    return this.output.take();
  }

  /** Whether there is something to be written. */
  get pending(): boolean {
    if (this.output.length > 0 || this.isOver) return this.output.length > 0;
    return this.queue.ready || this.inflow.due || this.#mayOpen;
  }

  /** The most streams at a time that the server allows; `Infinity` when it does not say. */
  get streamLimit(): number {
    return this.peer.maxConcurrentStreams;
  }

  /**
   * Opens a stream: when what goes out is taken, or once the server's limit has room. One that is cancelled before has never
   * been. One that comes too late is told so, in a microtask: it may come from within what ends the session.
   */
  open(stream: Stream): void {
    if (this.isDraining) {
      stream.place = 'closed';
      queueMicrotask(() =>
        stream.aborted({ kind: 'never', details: 'the connection takes no more streams' }),
      );
      return;
    }
    this.#waiting.add(stream);
    this.wrote();
  }

  message(stream: Stream, bytes: Buffer, flag: number, written: (() => void) | undefined): void {
    if (stream.place === 'closed') return;
    this.queue.message(stream, bytes, flag, written);
    this.wrote();
  }

  /** Nothing more is sent on the stream. */
  end(stream: Stream): void {
    if (stream.place === 'closed') return;
    this.queue.end(stream);
    this.wrote();
  }

  /** The stream's owner has read so much of what came. */
  credit(stream: Stream, length: number): void {
    this.inflow.credit(stream, length);
    this.wrote();
  }

  /** Ends the stream from our side. Its owner knows, and hears nothing more. */
  cancel(stream: Stream, code: number): void {
    if (stream.place === 'waiting') this.#waiting.delete(stream);
    else if (stream.place === 'open') this.output.reset(stream.id, code);
    this.close(stream);
    this.wrote();
  }

  /** Lets the streams that are open finish, and then is over. Those that wait have never been. */
  retire(why: string): void {
    this.isDraining = true;
    this.#waiting.abort(why);
    this.#finishIfDone();
  }

  /** The connection is gone. Its owner knows. */
  lost(why: string): void {
    if (this.isOver) return;
    this.#closeAll()(this.#farewell === '' ? why : `${why}; before, ${this.#farewell}`);
  }

  /** Ends the connection, as the error says. */
  fail(thrown: unknown): void {
    if (this.isOver) return;
    const { code, message } = connectionError(thrown);
    const fault = code === ErrorCode.NO_ERROR ? message : `${errorName(code)}: ${message}`;
    const abort = this.#closeAll();
    // What had not gone does not go any more: streams that were in it have never been.
    this.output.length = 0;
    this.output.goAway(code, message);
    this.wrote();
    this.owner.over(fault);
    abort(fault);
  }

  // For the parts of the session.
  /** Tells the owner when there is something to write. */
  wrote(): void {
    if (this.pending) this.owner.wantsWrite();
  }

  /** Applies a SETTINGS frame of the server's, and acknowledges it. */
  apply(bytes: Buffer, start: number, end: number): void {
    const { peer } = this;
    const { maxConcurrentStreams: limit } = peer;
    applySettings(peer, bytes, start, end, (size) => this.#encoder.limitTable(size));
    this.output.settingsAck();
    this.patience.owe();
    this.queue.resize(peer.initialWindowSize, this.streams.values());
    if (!this.isReady) {
      this.isReady = true;
      this.#keepAlive.start();
      this.owner.ready();
    }
    if (peer.maxConcurrentStreams !== limit) this.owner.limitChanged();
  }

  acknowledged(): void {
    this.#cancelSettingsTimer();
  }

  pinged(data: Buffer): void {
    this.#keepAlive.answered(data);
  }

  /** GOAWAY: streams above `last` were not processed (RFC 9113, section 6.8). */
  goneAway(last: number, code: number, debug: string): void {
    const said = `the server went away: ${errorName(code)}${debug === '' ? '' : ` ${JSON.stringify(debug)}`}`;
    if (code !== ErrorCode.NO_ERROR) this.#farewell = said;
    this.#drain(code === ErrorCode.ENHANCE_YOUR_CALM && debug === 'too_many_pings');
    this.#waiting.abort(said);
    for (const stream of [...this.streams.values()]) {
      if (stream.id > last && stream.place === 'open') {
        this.close(stream);
        abortStream(stream, { kind: 'refused', details: said });
      }
    }
    this.#finishIfDone();
  }

  /** The peer broke a rule of this stream. */
  violated(stream: Stream, code: number, details: string): void {
    this.output.reset(stream.id, code);
    this.patience.owe();
    this.close(stream);
    stream.aborted({ kind: 'violation', code, details });
  }

  /** Forgets a stream. */
  close(stream: Stream): void {
    const wasOpen = stream.place === 'open';
    stream.place = 'closed';
    if (!wasOpen) return;
    this.queue.drop(stream);
    this.streams.delete(stream.id);
    this.#finishIfDone();
  }

  #openNow(stream: Stream): void {
    const { streams } = this;
    stream.id = this.nextId;
    this.nextId += 2;
    stream.place = 'open';
    stream.receiveWindow = this.options.streamWindow;
    streams.set(stream.id, stream);
    writeHeaders(this.output, this.#encoder, stream, this.peer.maxFrameSize);
    this.patience.useful();
    this.queue.opened(stream);
    if (this.nextId > MAX_31_BITS && !this.isDraining) {
      this.#drain(false);
      this.#waiting.abort('the connection has no more streams');
    }
  }

  /** The owner hears of it before the streams do: whoever hears that one has ended may come with another. */
  #drain(tooManyPings: boolean): void {
    if (this.isDraining) return;
    this.isDraining = true;
    this.owner.draining(tooManyPings);
  }

  get #mayOpen(): boolean {
    return this.#waiting.any && !this.isDraining && this.streams.size < this.streamLimit;
  }

  #openWaiting(): void {
    while (this.#mayOpen && this.output.length < OUTPUT_MARK) this.#openNow(this.#waiting.next()!);
  }

  #finishIfDone(): void {
    if (!this.isDraining || this.isOver || this.streams.size > 0 || this.#waiting.any) return;
    this.output.goAway(ErrorCode.NO_ERROR, '');
    this.#stop();
    this.wrote();
    this.owner.over(undefined);
  }

  /** Closes every stream. What it returns tells them, for which it is time once the owner knows. */
  #closeAll(): (details: string) => void {
    this.#stop();
    const open = [...this.streams.values()];
    this.streams.clear();
    for (const stream of open) {
      stream.place = 'closed';
      this.queue.drop(stream);
    }
    return (details) => {
      this.#waiting.abort(details);
      abortOpen(open, this.output.takes, details);
    };
  }

  #stop(): void {
    this.isOver = true;
    this.isDraining = true;
    this.#cancelSettingsTimer();
    this.#keepAlive.stop();
  }
}
