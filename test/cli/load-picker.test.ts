import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { loadPicker } from '../../src/cli/load-picker.js';
import { planOf } from '../../src/simulator/scenario/plan.js';
import { Simulation } from '../../src/simulator/simulation.js';
import { run, scenario } from '../simulator/scenarios.js';

const directory = mkdtempSync(join(tmpdir(), 'evenkeel-pickers-'));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;

/** The path of a new module, from the directory. */
function module(code: string): string {
  const name = `./picker-${files++}.mjs`;
  writeFileSync(join(directory, name), code);
  return name;
}

describe('a picker on the command line', () => {
  it('is a name', async () => {
    const { name, factory } = await loadPicker('peak-ewma', directory);
    expect([name, factory({ random: seededRandom(1) }).name]).toEqual(['peak-ewma', 'peak-ewma']);
  });

  it.each(['default', 'picker'])('is the %s export of a module, called as it calls itself', async (what) => {
    const code = "() => ({ name: 'mine', pick: (ready) => ready[0] })";
    const path = module(what === 'default' ? `export default ${code}` : `export const picker = ${code}`);
    const { name, factory } = await loadPicker(path, directory);
    expect([name, factory({ random: seededRandom(1) }).name]).toEqual(['mine', 'mine']);
  });

  it.each([
    [
      'fastest',
      /^picker "fastest" is none of round-robin, random, .*maglev, nor a path such as .\/my-picker.js$/,
    ],
    ['./none.mjs', /^picker .\/none.mjs: there is no file .*none.mjs$/],
    [module('export const x = 1;'), /exports no factory: export default \(\{ random \}\) => /],
    [
      module("export default () => () => ({ name: 'a', pick() {} })"),
      /and not a factory: export default myPicker\(\)$/,
    ],
    [
      module("export default () => ({ name: 'a' })"),
      /makes what is not a picker, with a name and a method pick/,
    ],
    [
      module('export default () => ({ pick() {} })'),
      /makes what is not a picker, with a name and a method pick/,
    ],
    [module('export default () => undefined'), /makes what is not a picker/],
    [
      module('export default class { pick() {} }'),
      /exports a class.*export default \(env\) => new MyPicker\(env\)$/,
    ],
    [module('export default {'), /cannot be loaded: /],
    [module("import 'none-such'; export default 1"), /cannot be loaded: .*none-such/],
    [module("export default () => { throw new Error('no luck'); }"), /cannot be made: no luck$/],
  ])('is refused with the cure: %s', async (given, said) => {
    await expect(loadPicker(given, directory)).rejects.toThrow(said);
    await expect(loadPicker(given, directory)).rejects.toMatchObject({ code: 'UNKNOWN_PICKER' });
  });
});

describe('a picker that breaks its contract ends the simulation with its name', () => {
  const simulate = (picker: object) =>
    new Simulation(
      planOf(scenario(), () => new Float64Array()),
      () => picker as never,
      1,
    ).run();
  const first = (ready: readonly unknown[]) => ready[0];

  it.each<[string, object, RegExp]>([
    [
      'it throws',
      {
        pick: () => {
          throw new Error('not today');
        },
      },
      /^picker mine threw: not today$/,
    ],
    [
      'it invents a candidate',
      { pick: () => ({ slot: 0 }) },
      /^picker mine chose what is not a READY candidate/,
    ],
    [
      'it chooses nobody',
      { pick: () => undefined },
      /^picker mine chose nobody, and 4 of 4 servers have room$/,
    ],
    [
      'a hook throws',
      {
        pick: first,
        started: () => {
          throw new Error('oops');
        },
      },
      /^a hook of picker mine threw: oops$/,
    ],
  ])('%s', (_, picker, said) => {
    expect(() => simulate({ name: 'mine', ...picker })).toThrow(said);
  });

  it('and one that keeps it does not', () => {
    expect(simulate({ name: 'mine', pick: first }).calls).toBe(run(scenario()).calls);
  });
});
