// A `LeaseStore` in one process, used from another over an IPC channel with `serialization: 'advanced'`.
import { asError } from '../../src/base/errors.js';
import type { LeaseStore, OperationLimits } from '../../src/registry/leases.js';
import type { FromServer, LeaseRequest, ToServer } from './server-protocol.js';

/** The child's side: asks the parent for every operation. */
export function parentLeases(): LeaseStore {
  const asked = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  let seq = 0;
  process.on('message', (message: ToServer) => {
    if (message.kind !== 'lease-done' && message.kind !== 'lease-refused') return;
    const waiting = asked.get(message.seq);
    asked.delete(message.seq);
    if (message.kind === 'lease-done') waiting?.resolve(message.result as never);
    else waiting?.reject(new Error(message.message));
  });

  const ask = <T>(request: LeaseRequest, { timeoutMs, signal }: OperationLimits): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const number = seq++;
      const settled = (settle: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        settle();
      };
      const giveUp = (why: string) => {
        asked.delete(number);
        settled(() => reject(new Error(`${request.op}: ${why}`)));
      };
      const abort = () => giveUp('aborted');
      const timer = setTimeout(() => giveUp(`no answer within ${timeoutMs} ms`), timeoutMs);
      signal?.addEventListener('abort', abort, { once: true });
      asked.set(number, {
        resolve: (result) => settled(() => resolve(result)),
        reject: (error) => settled(() => reject(error)),
      });
      const message: FromServer = { kind: 'lease', seq: number, request };
      process.send?.(message, undefined, undefined, (error) => {
        if (error !== null) giveUp(error.message);
      });
    });

  return {
    grant: (lease, ttlSeconds, limits) => ask({ op: 'grant', args: [lease, ttlSeconds] }, limits),
    keepAlive: (lease, limits) => ask({ op: 'keepAlive', args: [lease] }, limits),
    holder: (key, limits) => ask({ op: 'holder', args: [key] }, limits),
    put: (endpoint, lease, ifRevision, limits) =>
      ask({ op: 'put', args: [endpoint, lease, ifRevision] }, limits),
    revoke: (lease, limits) => ask({ op: 'revoke', args: [lease] }, limits),
  };
}

/** The parent's side: does one operation, and says what is to be sent back. Never rejects. */
export async function performLease(
  leases: LeaseStore | undefined,
  { seq, request }: { readonly seq: number; readonly request: LeaseRequest },
): Promise<ToServer> {
  try {
    if (leases === undefined) throw new Error('this parent holds no leases');
    // TypeScript does not tie the operation to its arguments; LeaseRequest has.
    const operation = leases[request.op] as (...args: unknown[]) => Promise<unknown>;
    const result = await operation.call(leases, ...request.args, {
      timeoutMs: 1_000,
    } satisfies OperationLimits);
    return { kind: 'lease-done', seq, result };
  } catch (thrown) {
    return { kind: 'lease-refused', seq, message: asError(thrown).message };
  }
}
