import { setTimeout as delay } from 'node:timers/promises';

/** Waits for real processes: fails, naming `what`, after `boundMs`. */
export async function until(what: string, check: () => boolean, boundMs = 20_000): Promise<void> {
  const end = performance.now() + boundMs;
  while (!check()) {
    if (performance.now() > end) throw new Error(`waited in vain for: ${what}`);
    await delay(5);
  }
}
