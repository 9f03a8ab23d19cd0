// A short selection of what `npm run chaos` does in full, on real etcds and servers. Times are that program's business:
// here a machine may be as slow as it likes. One after the other: five etcds and all their servers at once keep two cores
// from answering a snapshot within its second, and then the table is stale without any fault.
import { describe, expect, it } from 'vitest';
import { broken, type Fault, runFault } from '../../bench/chaos/fault.js';
import { killed } from '../../bench/chaos/faults/away.js';
import { cutBursts } from '../../bench/chaos/faults/cuts.js';
import { registrations } from '../../bench/chaos/faults/registrations.js';
import { wiped, wipedAndRefilled } from '../../bench/chaos/faults/wipes.js';

const keyDeleted = registrations.find(({ name }) => name === 'registration-key-deleted')!;
const selection: readonly Fault[] = [
  killed(2),
  wipedAndRefilled,
  wiped,
  keyDeleted,
  cutBursts({ cuts: 3, size: 500 }),
];

describe('a pool and its servers survive', () => {
  it.each(selection.map((fault) => [fault.title, fault] as const))('%s', async (_, fault) => {
    const notes: string[] = [];
    const report = await runFault(fault, {
      signal: new AbortController().signal,
      say: (line) => notes.push(line),
    });
    expect(broken(report, { timed: false }), notes.join('\n')).toEqual([]);
    expect(report.measured.calls).toBeGreaterThan(0);
  });
});
