import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../dist/test/programs/parts-main.js', import.meta.url));

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

describe('a program of parts', () => {
  it('tells of a part that cannot be run, and holds when all others do', () => {
    const { status, stdout } = run();
    expect(stdout).toContain('skipped   impossible: there is no such tool');
    expect(status).toBe(0);
  });

  it('could not run when that is the only part that was asked for', () => {
    const { status, stderr } = run('--only', 'impossible');
    expect(stderr).toContain('parts: there is no such tool');
    expect(status).toBe(2);
  });

  it.each(['one', 'other'])('misses nothing of the transports that were not asked for: %s', (transport) => {
    const { status, stdout } = run('--json', '--transport', transport);
    const { targets } = JSON.parse(stdout);
    expect(targets.map(({ name }: { name: string }) => name)).toEqual([`one/${transport}/done`]);
    expect(status).toBe(0);
  });

  it('has no transport of another name', () => {
    const { status, stderr } = run('--transport', 'carrier-pigeon');
    expect(stderr).toContain('one, other');
    expect(status).toBe(2);
  });
});
