import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Program } from './program.js';

const directory = mkdtempSync(join(tmpdir(), 'evenkeel-simulate-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: unknown): string {
  const path = join(directory, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const SCENARIO = {
  name: 'small',
  durationMs: 5_000,
  pickers: ['round-robin', './first.js'],
  arrivals: { kind: 'poisson', perSecond: 200 },
  servers: [{ name: 'server', count: 3, service: 10 }],
};
const path = file('small.json', SCENARIO);
file('first.js', "export default () => ({ name: 'first', pick: (ready) => ready[0] });\n");

/** Runs `evenkeel simulate`, and returns what became of it. */
async function simulate(...args: string[]): Promise<{ code: number; out: string; err: string[] }> {
  const program = new Program('simulate', ...args);
  const code = await program.exited;
  return { code, out: program.out.join('\n'), err: program.err };
}

describe('evenkeel simulate', () => {
  it("compares the scenario's pickers, a user's own among them", async () => {
    const { code, out, err } = await simulate(path, '--seeds', '2');
    expect(err).toEqual([]);
    expect(out).toMatch(/^picker +success %/);
    expect(out).toMatch(/^round-robin +100.000 ±0.000/m);
    // It gives everything to one server of three.
    expect(out).toMatch(/^first .* 3.00 ±0.00$/m);
    expect(code).toBe(0);
  });

  it('stops a picker that loops, and says so', async () => {
    const loops = "export default () => ({ name: 'loops', pick() { for (;;); } });";
    const { code, out, err } = await simulate(path, '--picker', file('loops.js', loops));
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toEqual([
      'evenkeel: picker loops does not come to an end: it was stopped after 5 s; does it loop?',
    ]);
  });

  it('compares the pickers that are asked for, and prints one document and nothing else', async () => {
    const { code, out, err } = await simulate(
      path,
      '--picker',
      'random',
      'peak-ewma',
      '--seeds',
      '3',
      '--json',
    );
    const { program, scenario, targets, missing, results } = JSON.parse(out);
    expect({ program, scenario, targets, missing }).toEqual({
      program: 'simulate',
      scenario: 'small',
      targets: [],
      missing: [],
    });
    expect(results.map(({ picker }: { picker: string }) => picker)).toEqual(['random', 'peak-ewma']);
    expect(results[0].seeds).toEqual([1, 2, 3]);
    expect(results[0].metrics.p99Ms).toEqual({ mean: expect.closeTo(10, 1), margin: expect.closeTo(0, 1) });
    expect(results[0].shares).toHaveLength(3);
    expect(results[0].windows.length).toBeGreaterThan(50);
    expect([code, err]).toEqual([0, []]);
  });

  it('gives the same again', async () => {
    const [first, second] = await Promise.all([simulate(path, '--json'), simulate(path, '--json')]);
    expect(second.out).toBe(first.out);
  });

  it('writes the report', async () => {
    const report = join(directory, 'report.html');
    const { code, out } = await simulate(path, '--report', report, '--seeds', '1');
    expect([code, out.split('\n').at(-1)]).toEqual([0, `The report is in ${report}.`]);
    expect(readFileSync(report, 'utf8')).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
  });

  it('holds the targets of the scenario, and says by its exit code whether they are met', async () => {
    const held = { picker: 'round-robin', metric: 'p99Ms', atMost: 20 };
    const missed = { picker: 'round-robin', metric: 'successRate', atMost: 0.5 };
    const other = { picker: 'random', metric: 'meanMs', atMost: 1 };
    const met = await simulate(file('met.json', { ...SCENARIO, targets: [held] }));
    expect([met.code, met.out]).toEqual([
      0,
      expect.stringMatching(/^held +round-robin\/p99Ms: 10.* ms, at most 20$/m),
    ]);
    const unmet = await simulate(file('unmet.json', { ...SCENARIO, targets: [held, missed] }));
    expect([unmet.code, unmet.out]).toEqual([
      1,
      expect.stringMatching(/^NOT HELD +round-robin\/successRate: 1, at most 0.5$/m),
    ]);
    const unmeasured = await simulate(file('unmeasured.json', { ...SCENARIO, targets: [other] }));
    expect([unmeasured.code, unmeasured.out]).toEqual([
      1,
      expect.stringMatching(/^not measured: random\/meanMs$/m),
    ]);
    const asked = await simulate(join(directory, 'unmeasured.json'), '--picker', 'round-robin');
    expect(asked.code).toBe(0);
  });

  it.each([
    ['no file', [], /no scenario is given: name its file/],
    [
      'a file that --picker takes',
      ['--picker', 'random', path],
      /no scenario .* put .*small\.json before --picker/,
    ],
    ['a scenario that is wrong', ['wrong.json'], /wrong.json: clients is 0, and must be 1 or more$/],
    [
      'a picker of no such name',
      ['small.json', '--picker', 'fastest'],
      /picker "fastest" is none of round-robin/,
    ],
    [
      'a picker that throws',
      ['small.json', '--picker', './throwing.js'],
      /picker throwing threw: not today$/,
    ],
    [
      'two pickers of one name',
      ['small.json', '--picker', 'random', './random.js'],
      /random.js is called random, as another one is: give it a name of its own, or leave it out$/,
    ],
    [
      'a report that cannot be written, before anything is simulated',
      ['throwing.json', '--report', '/none/such.html'],
      /--report \/none\/such.html: there is no directory \/none$/,
    ],
    ['no call', ['silent.json'], /silent.json: no call came from warmUpMs, 0, to durationMs, 5000: /],
    ['no seeds', ['small.json', '--seeds', '0'], /--seeds.*'0'.*from 1/],
  ])('says in one line what is wrong, and exits with 2: %s', async (_, args, said) => {
    file('wrong.json', { ...SCENARIO, clients: 0 });
    file('throwing.json', { ...SCENARIO, pickers: ['./throwing.js'] });
    file('silent.json', { ...SCENARIO, arrivals: { kind: 'poisson', perSecond: 1e-9 } });
    file('random.js', "export default () => ({ name: 'random', pick: (ready) => ready[0] });\n");
    file(
      'throwing.js',
      "export default () => ({ name: 'throwing', pick() { throw new Error('not today'); } });\n",
    );
    const inDirectory = args.map((arg) => (/\.js(on)?$/.test(arg) ? join(directory, arg) : arg));
    const { code, out, err } = await simulate(...inDirectory);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toEqual([expect.stringMatching(said)]);
  });
});
