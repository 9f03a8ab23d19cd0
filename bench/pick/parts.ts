import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type PickerName, pickerNames } from '../../src/balancer/pickers/index.js';
import { endWithUs } from '../../test/support/children.js';
import type { Part } from '../support/program.js';
import { LIMITS, PICK_SIZES, type PickCost, TABLE_SIZES, type TableChange } from './sizes.js';

/** What may grow with n by this factor at most, from the smallest n to the largest, is taken for constant. */
const CONSTANT = 4;

/** One part for each picker, and one for the table. */
export const pickParts: readonly Part[] = [...pickerNames.map(pickPart), tablePart()];

function pickPart(name: PickerName): Part {
  const { ns, constant } = LIMITS[name];
  const most = `pick/${name}/ns`;
  const growth = `pick/${name}/growth`;
  return {
    name,
    targets: constant ? [most, growth] : [most],
    async run(run) {
      const costs = await measure<PickCost>('pick-worker', [name], run.signal);
      run.say(`\n${name}: ns of CPU for a pick, its start and a finish, with 4n calls in flight`);
      run.table(
        ['n', 'net', 'in a loop', 'the loop alone'],
        costs.map(({ n, net, gross, empty }) => [n, net, gross, empty]),
      );
      run.record(`pick/${name}`, costs);
      run.atMost(most, Math.max(...costs.map(({ net }) => net)), ns, 'ns');
      // Under a nanosecond is less than can be told from the loop.
      const netAt = (size: number) => Math.max(1, costs.find(({ n }) => n === size)!.net);
      if (constant) run.atMost(growth, netAt(PICK_SIZES.at(-1)!) / netAt(PICK_SIZES[0]), CONSTANT, 'x');
    },
  };
}

function tablePart(): Part {
  const growth = 'table/change/growth';
  return {
    name: 'table',
    targets: [growth],
    async run(run) {
      const changes = await measure<TableChange>('table-worker', [], run.signal);
      run.say('\ntable: us of CPU until a removed endpoint is gone and one put in its place is READY');
      run.table(
        ['n', 'us'],
        changes.map(({ n, us }) => [n, us]),
      );
      run.record('table/change', changes);
      const usAt = (size: number) => changes.find(({ n }) => n === size)!.us;
      run.atMost(growth, usAt(TABLE_SIZES[1]) / usAt(TABLE_SIZES[0]), CONSTANT, 'x');
    },
  };
}

/** Runs a worker in a process of its own, and returns what it sends. */
async function measure<T>(
  worker: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<readonly T[]> {
  const path = fileURLToPath(new URL(`./${worker}.js`, import.meta.url));
  const child = endWithUs(fork(path, args, { signal }));
  let measured: readonly T[] | undefined;
  child.on('message', (message) => {
    measured = message as readonly T[];
  });
  const [code, endedBy] = (await once(child, 'exit')) as [number | null, string | null];
  if (measured === undefined)
    throw new Error(`${worker} ${args.join(' ')} ended with ${endedBy ?? code}, and nothing measured`);
  return measured;
}
