import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects garbage until there is no more of it to collect, without a flag on the command line. */
export async function gc(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let i = 0; i < 4; i++) {
    // What ended just now is let go of in turns of its own.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
}

/** The heap in use, in bytes. */
export function heapUsed(): number {
  return process.memoryUsage().heapUsed;
}
