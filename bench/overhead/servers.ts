import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../../test/support/children.js';

const MAIN = fileURLToPath(new URL('./server.js', import.meta.url));

/** Starts echo servers in processes of their own, each on so many ports. They end with their parent, at `close`, or when the signal aborts. */
export async function startServers(
  count: number,
  signal: AbortSignal,
  ports = 1,
): Promise<{ addresses: string[]; close(): void }> {
  const children = Array.from({ length: count }, () =>
    endWithUs(fork(MAIN, [String(ports)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }), signal),
  );
  const addressesOf = async (child: ChildProcess) =>
    (await once(child, 'message', { signal }))[0] as string[];
  const addresses = await Promise.all(children.map(addressesOf));
  return {
    addresses: addresses.flat(),
    close: () => {
      for (const child of children) child.kill('SIGKILL');
    },
  };
}
