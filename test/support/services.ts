import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusObject } from '@grpc/grpc-js';
import type { EchoReply, EchoRequest, EchoServer } from '../../generated/evenkeel/echo/v1/echo.js';
import type { GreeterServer } from '../../generated/helloworld.js';

export interface ServiceOptions {
  /** The address that the server says it is; asked for at each call, since port 0 is known only once it listens. */
  readonly address: () => string;
  /** How much longer than a request asks for every answer takes, in milliseconds. Default 0. */
  readonly delayMs?: number;
}

/** "Hello NAME from ADDRESS", as the Go original answers. */
export function greeter({ address, delayMs = 0 }: ServiceOptions): GreeterServer {
  return {
    sayHello(call, callback) {
      const answer = () => callback(null, { message: `Hello ${call.request.name} from ${address()}` });
      if (delayMs > 0) setTimeout(answer, delayMs);
      else answer();
    },
  };
}

/** What `proto/evenkeel/echo/v1/echo.proto` says. */
export function echo({ address, delayMs = 0 }: ServiceOptions): EchoServer {
  const reply = (payload: Buffer, seen: number): EchoReply => ({ payload, server: address(), seen });
  const failure = ({ code, details }: EchoRequest): Partial<StatusObject> => ({ code, details });

  return {
    unary(call, callback) {
      const { request } = call;
      const answer = () =>
        request.code === 0 ? callback(null, reply(request.payload, 1)) : callback(failure(request));
      const wait = delayMs + request.delayMs;
      if (wait > 0) setTimeout(answer, wait);
      else answer();
    },
    async serverStream(call) {
      const { request } = call;
      for (let sent = 0; sent < request.count; sent++) {
        if (delayMs + request.delayMs > 0) await sleep(delayMs + request.delayMs);
        if (call.cancelled) return;
        if (!call.write(reply(request.payload, 1))) {
          await new Promise<void>((resolve) => {
            call.once('drain', resolve);
            call.once('cancelled', resolve);
          });
        }
      }
      if (request.code === 0) call.end();
      else call.emit('error', failure(request));
    },
    clientStream(call, callback) {
      const payloads: Buffer[] = [];
      let last: EchoRequest | undefined;
      call.on('data', (request: EchoRequest) => {
        payloads.push(request.payload);
        last = request;
      });
      call.on('end', () => {
        const answer = () =>
          last === undefined || last.code === 0
            ? callback(null, reply(Buffer.concat(payloads), payloads.length))
            : callback(failure(last));
        const wait = delayMs + (last?.delayMs ?? 0);
        if (wait > 0) setTimeout(answer, wait);
        else answer();
      });
    },
    async bidi(call) {
      let seen = 0;
      try {
        // Left to itself, the end of the loop would destroy the stream, with the status that is still to be sent.
        for await (const request of call.iterator({ destroyOnReturn: false }) as AsyncIterable<EchoRequest>) {
          if (delayMs + request.delayMs > 0) await sleep(delayMs + request.delayMs);
          if (request.code !== 0) {
            call.emit('error', failure(request));
            return;
          }
          call.write(reply(request.payload, ++seen));
        }
        call.end();
      } catch (error) {
        // A cancelled call is a destroyed stream, which ends the loop with an error.
        if (!call.cancelled) throw error;
      }
    },
  };
}
