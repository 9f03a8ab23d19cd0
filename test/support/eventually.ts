import { sleep, systemClock } from '../../src/base/clock.js';

/** How long something may take that comes in any case, in milliseconds: machines may be slow. */
const PATIENCE_MS = 20_000;

/** Looks again and again until it holds; rejects, naming `what`, when it does not within a good while. */
export async function eventually(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const end = systemClock.now() + PATIENCE_MS;
  while (!(await check())) {
    if (systemClock.now() > end) throw new Error(`waited in vain for: ${what}`);
    await sleep(systemClock, 5);
  }
}
