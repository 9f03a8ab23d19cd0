import { type CallCredentials, Metadata } from '@grpc/grpc-js';
import { FrameType } from '../../../../../src/balancer/transport/http2/frames/protocol.js';
import { Http2Call } from '../../../../../src/balancer/transport/http2/grpc/call.js';
import type { CallHome } from '../../../../../src/balancer/transport/http2/grpc/call-home.js';
import type { Compression } from '../../../../../src/balancer/transport/http2/grpc/compression.js';
import { RequestFields } from '../../../../../src/balancer/transport/http2/grpc/request-fields.js';
import { Decoder } from '../../../../../src/balancer/transport/http2/hpack/decoder.js';
import type {
  CallListener,
  CallStart,
  WireCall,
  WireStatus,
} from '../../../../../src/balancer/transport/transport.js';
import type { Frame } from '../frames/wire.js';
import { Harness } from '../session/harness.js';

/** What a call tells, in order. */
export class Heard implements CallListener {
  readonly log: string[] = [];
  readonly messages: Buffer[] = [];
  headers: Metadata | undefined;
  status: WireStatus | undefined;
  readonly ended: Promise<WireStatus>;
  #end: (status: WireStatus) => void = () => {};

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  onHeaders(headers: () => Metadata): void {
    this.headers = headers();
    this.log.push('headers');
  }

  onMessage(bytes: Buffer): void {
    this.messages.push(bytes);
    this.log.push(`message ${bytes.length}`);
  }

  onStatus(status: WireStatus): void {
    this.status = status;
    this.log.push(`status ${status.code}`);
    this.#end(status);
  }
}

export interface HomeOptions {
  readonly credentials?: CallCredentials;
  readonly maxSend?: number;
  readonly maxReceive?: number;
  readonly compression?: Compression;
  readonly peer?: [id: number, value: number][];
}

/** A home with one session, whose other end the test speaks for. */
export class CallHarness implements CallHome {
  readonly wire: Harness;
  readonly authority = 'host:1';
  readonly credentials: CallCredentials | undefined;
  readonly maxSend: number;
  readonly maxReceive: number;
  readonly compression: Compression;
  readonly left: Http2Call[] = [];
  readonly #line;
  readonly #decoder = new Decoder(100_000);

  constructor(options: HomeOptions = {}) {
    this.wire = Harness.ready(
      { streamWindow: 1_000_000, connectionWindow: 1_000_000 },
      ...(options.peer ?? []),
    );
    this.credentials = options.credentials;
    this.maxSend = options.maxSend ?? Number.POSITIVE_INFINITY;
    this.maxReceive = options.maxReceive ?? 4_194_304;
    this.compression = options.compression ?? 'identity';
    this.#line = {
      session: this.wire.session,
      fields: new RequestFields({
        scheme: 'http',
        authority: this.authority,
        userAgent: 'test',
        compression: this.compression,
      }),
      peer: '127.0.0.1:1',
      authContext: {},
    };
  }

  get clock() {
    return this.wire.clock;
  }

  enter(call: Http2Call): void {
    call.board(this.#line);
  }

  leave(call: Http2Call): void {
    this.left.push(call);
  }

  start(
    init: Partial<CallStart> = {},
    timeoutMs = Number.POSITIVE_INFINITY,
  ): { call: WireCall; heard: Heard } {
    const heard = new Heard();
    const call = new Http2Call(this, { path: '/s/m', metadata: new Metadata(), ...init }, timeoutMs, heard);
    call.begin();
    return { call, heard };
  }

  /** A call that has sent all that it will, and reads one message. */
  unary(...args: Parameters<CallHarness['start']>): { call: WireCall; heard: Heard } {
    const started = this.start(...args);
    started.call.startRead();
    started.call.sendMessage(Buffer.from('request'));
    started.call.halfClose();
    this.wire.take();
    return started;
  }

  /** The fields of the next request among these frames. */
  fieldsIn(frames: readonly Frame[]): [string, string][] {
    const { payload } = frames.find(({ type }) => type === FrameType.HEADERS)!;
    const { names, values } = this.#decoder.decode(payload, 0, payload.length);
    return names.map((name, at) => [name, values[at]!]);
  }
}

/** A gRPC message, as it stands in DATA. */
export function message(content: Uint8Array | string, flag = 0): Buffer {
  const bytes = Buffer.from(content as string);
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}
