import type { ServerResponse } from 'node:http';

/** What the buffers on the way take of an answer, whoever reads it. */
const SMALL = 16 * 1024;

/**
 * Ends the connection of an answer whose client reads nothing of it for so long. A small one behind which nothing waits is on its
 * way at once.
 *
 * @param length - of the answer.
 * @param ms - how long it may read nothing, in milliseconds.
 * @param keepAliveMs - what the server has for connections between requests.
 */
export function boundReading(
  response: ServerResponse,
  length: number,
  ms: number,
  keepAliveMs: number,
): void {
  const { socket } = response.req;
  if (length <= SMALL && socket.writableLength === 0) return;
  // Once it is read, the connection has the time of one that is kept alive, which must be told from this.
  const bound = ms === keepAliveMs ? ms + 1 : ms;
  response.setTimeout(bound);
  // Or it goes on with the next answer, which may be a stream with nothing to say for long.
  response.once('finish', () => {
    if (socket.timeout === bound) socket.setTimeout(0);
  });
}
