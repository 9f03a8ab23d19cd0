import { BufferPool } from '../../../../../src/balancer/transport/http2/frames/buffer-pool.js';
import { FrameType } from '../../../../../src/balancer/transport/http2/frames/protocol.js';
import { BlockCache } from '../../../../../src/balancer/transport/http2/hpack/block-cache.js';
import type { Encoder } from '../../../../../src/balancer/transport/http2/hpack/encoder.js';
import type { Fields } from '../../../../../src/balancer/transport/http2/hpack/fields.js';
import { Session } from '../../../../../src/balancer/transport/http2/session/session.js';
import type {
  SessionOptions,
  SessionOwner,
} from '../../../../../src/balancer/transport/http2/session/session-types.js';
import { type Abort, Stream } from '../../../../../src/balancer/transport/http2/session/stream.js';
import { VirtualClock } from '../../../../../src/testing/virtual-clock.js';
import { type Frame, framesIn, settings, settingsAck } from '../frames/wire.js';

/** A stream that notes down what it hears. */
export class TestStream extends Stream {
  readonly heard: string[] = [];
  bytes = Buffer.alloc(0);
  fields: Fields | undefined;
  why: Abort | undefined;
  /** Credits what comes at once. */
  reads = true;
  /** What its listener does once it has ended before its time. */
  whenAborted = () => {};

  constructor(
    readonly session: Session,
    readonly padding = '',
  ) {
    super();
  }

  writeFields(encoder: Encoder): void {
    encoder.plain(':path', '/s/m');
    if (this.padding !== '') encoder.plain('padding', this.padding);
  }

  headersCame(fields: Fields, end: boolean): void {
    this.fields = fields;
    this.heard.push(end ? 'headers, end' : 'headers');
  }

  dataCame(bytes: Buffer, start: number, end: number): void {
    this.bytes = Buffer.concat([this.bytes, bytes.subarray(start, end)]);
    this.heard.push(`data ${end - start}`);
    if (this.reads) this.session.credit(this, end - start);
  }

  endCame(trailers: Fields | undefined): void {
    this.heard.push(trailers === undefined ? 'end' : 'trailers');
  }

  aborted(why: Abort): void {
    this.why = why;
    this.heard.push(why.kind === 'reset' ? `reset ${why.code}` : why.kind);
    this.whenAborted();
  }
}

export const OPTIONS = {
  maxHeaderListSize: 16_384,
  streamWindow: 65_535,
  connectionWindow: 65_535,
  settingsTimeoutMs: 10_000,
  keepAlive: { timeMs: Number.POSITIVE_INFINITY, timeoutMs: 20_000, withoutCalls: false },
} satisfies Partial<SessionOptions>;

/** A session, and the peer's end of it, which the test speaks for. */
export class Harness implements SessionOwner {
  readonly clock = new VirtualClock();
  readonly session: Session;
  readonly events: string[] = [];
  readonly #taken: Buffer[] = [];

  constructor(options: Partial<SessionOptions> = {}) {
    this.session = new Session(
      { clock: this.clock, pool: new BufferPool(), cache: new BlockCache(), ...OPTIONS, ...options },
      this,
    );
    this.session.start();
  }

  /** One that both sides have agreed about, with nothing more to say. */
  static ready(options: Partial<SessionOptions> = {}, ...peer: [id: number, value: number][]): Harness {
    const harness = new Harness(options);
    harness.say(settings(...peer), settingsAck());
    harness.said();
    harness.events.splice(0);
    return harness;
  }

  say(...frames: Buffer[]): void {
    const bytes = Buffer.concat(frames);
    this.session.receive(bytes, 0, bytes.length);
  }

  /** What the client has written since it was asked last. */
  said(): Frame[] {
    this.take();
    return framesIn(Buffer.concat(this.#taken.splice(0)));
  }

  /** Takes what there is to be written, as a socket does. */
  take(): void {
    while (this.session.pending) {
      const { buffer, length } = this.session.take();
      this.#taken.push(Buffer.from(buffer.subarray(0, length)));
    }
  }

  /** The same in short: type, stream, flags where there are any, and the payload of those that are short. */
  saidShort(): string[] {
    const name = (type: number) =>
      Object.entries(FrameType).find(([, value]) => value === type)?.[0] ?? String(type);
    return this.said().map(({ type, flags, stream, payload }) => {
      const short = type === FrameType.DATA || type === FrameType.HEADERS ? `(${payload.length})` : '';
      return `${name(type)} ${stream}${short}${flags === 0 ? '' : ` +${flags.toString(16)}`}`;
    });
  }

  /** The code with which the client has ended the connection; undefined when it has not. */
  goneWith(): number | undefined {
    const goAway = this.said().find(({ type }) => type === FrameType.GOAWAY);
    return goAway?.payload.readUInt32BE(4);
  }

  /** A stream of which nothing has been written. */
  begin(padding = ''): TestStream {
    const stream = new TestStream(this.session, padding);
    this.session.open(stream);
    return stream;
  }

  /** A stream whose HEADERS have gone, as far as the limit lets them. */
  open(padding = ''): TestStream {
    const stream = this.begin(padding);
    this.take();
    return stream;
  }

  wantsWrite(): void {}
  ready(): void {
    this.events.push('ready');
  }
  limitChanged(): void {
    this.events.push(`limit ${this.session.streamLimit}`);
  }
  draining(tooManyPings: boolean): void {
    this.events.push(tooManyPings ? 'draining, too many pings' : 'draining');
  }
  over(fault: string | undefined): void {
    this.events.push(`over: ${fault ?? 'in order'}`);
  }
}
