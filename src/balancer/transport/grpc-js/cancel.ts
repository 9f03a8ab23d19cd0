import type { GrpcJsCall } from '../../../base/grpc-js/call.js';

/** More microtasks than grpc-js 1.14 takes from the start of a call to its first attempt. */
const MAX_MICROTASKS = 32;

/**
 * Cancels a call in such a way that it stays cancelled. Between the start of a call and its first attempt, which are
 * microtasks apart, grpc-js forgets a cancellation: it tells of the end, and then opens a stream all the same, which
 * nobody ends and which the server serves. So the attempt is waited for, of which the peer tells.
 */
export async function cancelOnceUnderWay(
  call: GrpcJsCall,
  target: string,
  cancel: () => void,
): Promise<void> {
  for (let waited = 0; waited < MAX_MICROTASKS && call.getPeer() === target; waited++) await undefined;
  cancel();
}
