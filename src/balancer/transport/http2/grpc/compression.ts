import { deflate, gunzip, gzip, inflate } from 'node:zlib';
import { asError, Status } from '../../../../base/errors.js';
import type { Verdict } from './status.js';

/** The ways to compress that are known; `grpc-encoding` has their names. */
export type Compression = 'identity' | 'deflate' | 'gzip';

/** What we say that we understand. */
export const ACCEPTED = 'identity,deflate,gzip';

export function compress(
  how: Compression,
  bytes: Buffer,
  done: (error: Error | null, bytes: Buffer) => void,
): void {
  if (how === 'gzip') gzip(bytes, done);
  else if (how === 'deflate') deflate(bytes, done);
  else done(null, bytes);
}

/**
 * Undoes what a server did to a message, in another thread, and gives up once it is longer than `limit`: the rest is never
 * made.
 */
export function decompress(
  how: string | undefined,
  bytes: Buffer,
  limit: number,
  done: (fault: Verdict | undefined, bytes: Buffer) => void,
): void {
  if (how !== 'gzip' && how !== 'deflate') {
    const known = how === undefined || how === 'identity';
    const details = known
      ? 'Received compressed message but "grpc-encoding" header was identity'
      : `Received message compressed with unsupported compression method ${how}`;
    queueMicrotask(() => done({ code: Status.INTERNAL, details }, bytes));
    return;
  }
  const undo = how === 'gzip' ? gunzip : inflate;
  undo(bytes, Number.isFinite(limit) ? { maxOutputLength: Math.max(1, limit) } : {}, (error, result) => {
    if (error === null && result.length <= limit) done(undefined, result);
    else done(faultOf(error, how, limit), bytes);
  });
}

function faultOf(error: Error | null, how: string, limit: number): Verdict {
  const tooLarge =
    error === null || (asError(error) as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
  return tooLarge
    ? {
        code: Status.RESOURCE_EXHAUSTED,
        details: `Received message that decompresses to a size larger than ${limit}`,
      }
    : { code: Status.INTERNAL, details: `Failed to decompress ${how}-encoded message` };
}
