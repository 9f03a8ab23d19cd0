import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../base/clock.js';
import { Status } from '../../base/errors.js';
import { clipped } from '../base/request-error.js';

/** How long a client may take to read that it was refused, in milliseconds, before its connection is cut. */
const LINGER_MS = 1_000;

/**
 * Answers in the gateway's way what Node's HTTP server refuses before there is a request: what its parser does not take, heads
 * that are too large or too late, CONNECT, and expectations that nobody meets.
 */
export function answerRefusals(server: Server, clock: Clock): void {
  const refused = new WeakSet<Duplex>();
  const refuse = (socket: Duplex, httpStatus: number, code: number, message: string) => {
    // The rest of what was refused may be refused again.
    if (refused.has(socket)) return;
    refused.add(socket);
    const body = failureBody(code, message);
    // Ended, not destroyed: with data unread, that would reset the connection, and the answer would be lost with it.
    socket.end(
      `HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus]}\r\nContent-Type: application/json\r\n` +
        `X-Content-Type-Options: nosniff\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
    const cancel = clock.after(LINGER_MS, () => socket.destroy());
    socket.once('close', cancel).on('error', () => socket.destroy());
  };

  server.on('clientError', (error: NodeJS.ErrnoException, socket: Answering) => {
    // An answer is on its way, and another within it would be taken for a part of it.
    if (error.code === 'ECONNRESET' || !socket.writable || socket._httpMessage?.headersSent) {
      if (!refused.has(socket)) socket.destroy();
    } else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
      refuse(socket, 408, Status.DEADLINE_EXCEEDED, 'the request did not come in time');
    } else if (error.code === 'HPE_HEADER_OVERFLOW') {
      refuse(socket, 431, Status.RESOURCE_EXHAUSTED, "the request's head is too large");
    } else {
      refuse(socket, 400, Status.INVALID_ARGUMENT, `this is not HTTP: ${error.message}`);
    }
  });
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    refuse(socket, 405, Status.UNIMPLEMENTED, 'Method Not Allowed');
  });
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    refuse(
      request.socket,
      417,
      Status.INVALID_ARGUMENT,
      clipped(`nobody meets the expectation ${request.headers.expect}`),
    );
    response.destroy();
  });
}

/** Answers a request that does not say for whom it is (RFC 9112, 3.2). */
export function refuseHostless(response: ServerResponse): void {
  const body = failureBody(Status.INVALID_ARGUMENT, 'the Host header is missing');
  response
    .writeHead(400, {
      'content-type': 'application/json',
      'x-content-type-options': 'nosniff',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    })
    .end(body);
}

function failureBody(code: number, message: string): string {
  return JSON.stringify({ code, message, details: [] });
}

/** A socket on which Node keeps the answer that is being written, as its own handling of these errors looks at it. */
type Answering = Duplex & { readonly _httpMessage?: ServerResponse | null };
