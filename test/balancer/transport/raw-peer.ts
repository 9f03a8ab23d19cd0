// The other end of a real connection, for the contract: a server that speaks gRPC by hand, on node:http2.
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { onTestFinished } from 'vitest';
import type { ConnectionEvent, Transport } from '../../../src/balancer/transport/transport.js';
import { endpoint } from '../../support/endpoints.js';
import { RawServer } from '../calls/raw-server.js';
import type { ContractCall, ContractPair, ContractServer } from './contract.js';

/** A connection by this transport, READY, to a server that does what the test says. */
export async function realPair(transport: Transport): Promise<ContractPair> {
  const arrived: ContractCall[] = [];
  const awaited: ((call: ContractCall) => void)[] = [];
  const raw = await RawServer.start(({ stream, headers }) => {
    const call = new RawCall(stream, headers);
    const next = awaited.shift();
    if (next === undefined) arrived.push(call);
    else next(call);
  });
  onTestFinished(() => raw.close());
  const events: ConnectionEvent[] = [];
  let told = () => {};
  const connection = transport(endpoint('a', raw.address), (event) => {
    events.push(event);
    told();
  });
  onTestFinished(() => connection.retire());
  const ready = new Promise<void>((resolve, reject) => {
    told = () => (events.at(-1)!.kind === 'failed' ? reject(new Error('it failed')) : resolve());
  });
  connection.connect();
  await ready;
  const server: ContractServer = {
    next: () =>
      new Promise((resolve) => {
        const call = arrived.shift();
        if (call === undefined) awaited.push(resolve);
        else resolve(call);
      }),
    get calls() {
      return raw.arrivals.length;
    },
    drop: () => raw.drop(),
    get connected() {
      return raw.open > 0;
    },
  };
  return { connection, events, server };
}

class RawCall implements ContractCall {
  readonly cancelled: Promise<void>;
  #trailers: Record<string, string> = {};
  readonly #received: Promise<string[]>;

  constructor(
    private readonly stream: ServerHttp2Stream,
    private readonly sent: IncomingHttpHeaders,
  ) {
    const chunks: Buffer[] = [];
    this.#received = new Promise((resolve) => {
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => resolve(messagesIn(Buffer.concat(chunks))));
    });
    this.cancelled = new Promise((resolve) => {
      stream.on('aborted', () => resolve());
      stream.on('close', () => {
        if (stream.rstCode === constants.NGHTTP2_CANCEL) resolve();
      });
    });
    stream.on('wantTrailers', () => stream.sendTrailers(this.#trailers));
  }

  get path(): string {
    return String(this.sent[':path']);
  }

  get authority(): string | undefined {
    return this.sent[':authority'];
  }

  header(name: string): string | undefined {
    return this.sent[name]?.toString();
  }

  received(): Promise<string[]> {
    return this.#received;
  }

  headers(): void {
    this.stream.respond(RESPONSE, { waitForTrailers: true });
  }

  message(text: string): void {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(text.length, 1);
    this.stream.write(Buffer.concat([prefix, Buffer.from(text)]));
  }

  end(code = 0, details = '', trailers: Record<string, string> = {}): void {
    const status = { 'grpc-status': `${code}`, 'grpc-message': details, ...trailers };
    if (this.stream.destroyed) return;
    if (!this.stream.headersSent) this.stream.respond({ ...RESPONSE, ...status }, { endStream: true });
    else {
      this.#trailers = status;
      this.stream.end();
    }
  }

  refuse(): void {
    this.stream.close(constants.NGHTTP2_REFUSED_STREAM);
  }
}

const RESPONSE = { ':status': 200, 'content-type': 'application/grpc+proto' } as const;

function messagesIn(bytes: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at + 1);
    messages.push(bytes.subarray(at + 5, at + 5 + length).toString());
    at += 5 + length;
  }
  return messages;
}
