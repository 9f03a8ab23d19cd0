import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { EchoReply, EchoRequest } from '../../generated/evenkeel/echo/v1/echo.js';

const { HTTP2_HEADER_METHOD, HTTP2_HEADER_PATH, HTTP2_HEADER_CONTENT_TYPE, HTTP2_HEADER_TE } = constants;
const HEADERS = {
  [HTTP2_HEADER_METHOD]: 'POST',
  [HTTP2_HEADER_PATH]: '/evenkeel.echo.v1.Echo/Unary',
  [HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
  [HTTP2_HEADER_TE]: 'trailers',
};

/** The floor: gRPC framing by hand on node:http2, with no more care than a call that succeeds needs. */
export class Http2Floor {
  readonly #sessions: ClientHttp2Session[];
  #next = 0;

  constructor(addresses: readonly string[]) {
    this.#sessions = addresses.map((address) => connect(`http://${address}`));
  }

  call(request: EchoRequest): Promise<EchoReply> {
    return new Promise((resolve, reject) => {
      const stream = this.#sessions[this.#next++ % this.#sessions.length]!.request(HEADERS);
      const message = EchoRequest.encode(request).finish();
      const frame = Buffer.allocUnsafe(5 + message.length);
      frame[0] = 0;
      frame.writeUInt32BE(message.length, 1);
      frame.set(message, 5);
      const chunks: Buffer[] = [];
      let status: unknown;
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('trailers', (trailers) => {
        status = trailers['grpc-status'];
      });
      stream.on('error', reject);
      stream.on('end', () => {
        const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
        if (status === '0') resolve(EchoReply.decode(body.subarray(5)));
        else reject(new Error(`grpc-status ${String(status)}`));
      });
      stream.end(frame);
    });
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
  }
}
