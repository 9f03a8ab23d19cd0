import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Options, Report } from './swap-and-restart-main.js';

const MAIN = fileURLToPath(
  new URL('../../../dist/test/balancer/calls/swap-and-restart-main.js', import.meta.url),
);

/** Runs the program. It must end by itself: it is killed only after the test. */
async function run(options: Options): Promise<{ report: Report; code: number | null; lingeredMs: number }> {
  const child = spawn(process.execPath, [MAIN, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let output = '';
  let reportedAt = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    reportedAt = performance.now();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { report: JSON.parse(output) as Report, code, lingeredMs: performance.now() - reportedAt };
}

describe('10,000 calls while pickers are swapped and servers restarted', () => {
  it('are answered, but for those that a killed server had begun; and nothing is left of them', async () => {
    const { report, code, lingeredMs } = await run({ calls: 10_000, callsPerSecond: 1_500 });
    const { answered, wrong, failures, swaps, restarts, served, pendingAtEnd, waitingAtEnd } = report;

    for (const failure of Object.keys(failures)) expect(failure).toMatch(/^14 .*, SIGKILL$/);
    const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
    // No more than the calls that were in flight each time.
    expect(failed).toBeLessThanOrEqual(64 * restarts.SIGKILL);
    expect([answered + failed, wrong]).toEqual([10_000, 0]);
    expect([served, pendingAtEnd, waitingAtEnd]).toEqual([3, 0, 0]);
    expect(restarts.SIGKILL).toBeGreaterThanOrEqual(1);
    expect(restarts.SIGTERM).toBeGreaterThanOrEqual(1);
    expect(swaps).toBeGreaterThan(50);
    expect(code).toBe(0);
    expect(lingeredMs).toBeLessThan(2_000);
  }, 120_000);
});
