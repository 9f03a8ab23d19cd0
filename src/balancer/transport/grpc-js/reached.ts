import type { StatusObject } from '@grpc/grpc-js';
import { Status } from '../../../base/errors.js';
import type { Reached } from '../transport.js';

// grpc-js 1.14 knows whether a server can have processed a call, and strips what it knows from the status. Here it is
// found again; `test/balancer/transport/grpc-js/call-contract.test.ts` pins the words.

const REFUSED = 'Stream refused by server';
const CREDENTIALS_FAILED = 'Getting metadata from plugin failed';
const NOT_STARTED = 'Failed to start HTTP/2 stream with error ';
/** What node:http2 says when no stream can be had of a session, whoever asks for one. Anything else is the request's fault. */
const SESSION_IS_OVER = [
  'The session has been destroyed',
  'New streams cannot be created after receiving a GOAWAY',
  'No stream ID is available because maximum stream ID has been reached',
  'The socket has been disconnected from the Http2Session',
];

/**
 * Whether a server can have processed a call that failed, by the two tests that no gRPC server can fake: grpc-js never
 * gave it a stream (its peer is the target's name still), or the stream was refused before any header came back. A status
 * that a server sends in the same words comes with a content-type, which gRPC requires of every response; one that goes to
 * the length of leaving that out could as well refuse the stream.
 */
export function reachedBy(status: StatusObject, hadStream: boolean, answered: boolean): Reached {
  const { code, details, metadata } = status;
  // Without a stream, no server can have said so.
  if (!hadStream) return isItsOwnFault(details) ? 'unsendable' : 'never';
  const refused = code === Status.UNAVAILABLE && details === REFUSED && !answered;
  return refused && Object.keys(metadata.getMap()).length === 0 ? 'refused' : 'maybe';
}

function isItsOwnFault(details: string): boolean {
  if (details.includes(CREDENTIALS_FAILED)) return true;
  return details.startsWith(NOT_STARTED) && !SESSION_IS_OVER.some((why) => details.includes(why));
}
