import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RemovalGuard, type RemovalGuardOptions } from '../../../src/balancer/table/removal-guard.js';
import { Table } from '../../../src/balancer/table/table.js';
import { endpoint } from '../../support/endpoints.js';

const DEFAULTS: RemovalGuardOptions = { windowMs: 10_000, fraction: 0.5, minimum: 3, graceMs: 60_000 };

/** Whether each of these counts, told at its time, trips. */
function tells(counts: readonly (readonly [now: number, count: number])[], options = {}): boolean[] {
  const guard = new RemovalGuard({ ...DEFAULTS, ...options });
  return counts.map(([now, count]) => guard.counted(count, now));
}

describe('RemovalGuard', () => {
  it.each([
    [
      'all of them vanish',
      [
        [0, 3],
        [1, 0],
      ],
      true,
    ],
    [
      'fewer than half are left',
      [
        [0, 10],
        [1, 4],
      ],
      true,
    ],
    [
      'half are left',
      [
        [0, 10],
        [1, 5],
      ],
      false,
    ],
    [
      'they are two',
      [
        [0, 2],
        [1, 0],
      ],
      false,
    ],
    [
      'they were two, though three once',
      [
        [0, 3],
        [1, 2],
        [20_000, 0],
      ],
      false,
    ],
    [
      'they vanish one by one within the window',
      [
        [0, 4],
        [3_000, 3],
        [6_000, 2],
        [9_000, 1],
      ],
      true,
    ],
    [
      'they vanish one by one, and slower',
      [
        [0, 4],
        [6_000, 3],
        [12_000, 2],
        [18_000, 1],
      ],
      true,
    ],
    [
      'half of them go, and half of the rest later',
      [
        [0, 8],
        [1, 4],
        [10_002, 2],
      ],
      false,
    ],
    [
      'a fleet that stood for long vanishes',
      [
        [0, 8],
        [1e6, 1],
      ],
      true,
    ],
    [
      'as many have come as went',
      [
        [0, 8],
        [1, 8],
        [2, 8],
      ],
      false,
    ],
    [
      'so many came and went within the window',
      [
        [0, 2],
        [1, 9],
        [2, 4],
      ],
      true,
    ],
    [
      'a fleet appears',
      [
        [0, 0],
        [1, 100],
      ],
      false,
    ],
  ] as const)('of %s', (_, counts, trips) => {
    const told = tells(counts);
    expect(told.pop()).toBe(trips);
    expect(told.every((tripped) => !tripped)).toBe(true);
  });

  it('trips on at every count that is still too few, until the window has passed', () => {
    expect(
      tells([
        [0, 10],
        [0, 2],
        [5_000, 3],
        [10_000, 3],
        [10_001, 3],
      ]),
    ).toEqual([false, true, true, true, false]);
  });

  it('follows its options', () => {
    expect(
      tells(
        [
          [0, 10],
          [1, 7],
        ],
        { fraction: 0.8 },
      ),
    ).toEqual([false, true]);
    expect(
      tells(
        [
          [0, 10],
          [1, 0],
        ],
        { fraction: 0 },
      ),
    ).toEqual([false, false]);
    expect(
      tells(
        [
          [0, 10],
          [1, 0],
        ],
        { minimum: 11 },
      ),
    ).toEqual([false, false]);
    expect(
      tells(
        [
          [0, 1],
          [1, 0],
        ],
        { minimum: 1 },
      ),
    ).toEqual([false, true]);
    expect(
      tells(
        [
          [0, 10],
          [1, 0],
          [2, 0],
        ],
        { windowMs: 0 },
      ),
    ).toEqual([false, true, false]);
  });

  it('says whether a fleet is guarded: while it was of the size within the window', () => {
    const guard = new RemovalGuard(DEFAULTS);
    expect(guard.guards(0)).toBe(false);
    guard.counted(3, 0);
    expect(guard.guards(1e6)).toBe(true);
    guard.counted(2, 1e6);
    expect([guard.guards(1e6 + 10_000), guard.guards(1e6 + 10_001)]).toEqual([true, false]);
  });

  it('does as a list of all counts, of which the most within the window is sought', () => {
    const step = fc.tuple(fc.constantFrom(0, 1, 500, 4_000, 9_999, 10_000, 25_000), fc.nat(12));
    fc.assert(
      fc.property(
        fc.constantFrom(0.3, 0.5, 1),
        fc.constantFrom(1, 3, 5),
        fc.array(step, { maxLength: 60, size: 'max' }),
        (fraction, minimum, steps) => {
          const guard = new RemovalGuard({ ...DEFAULTS, fraction, minimum });
          const held: { count: number; until: number }[] = [{ count: 0, until: Number.POSITIVE_INFINITY }];
          let now = 0;
          for (const [ms, count] of steps) {
            now += ms;
            held.at(-1)!.until = now;
            held.push({ count, until: Number.POSITIVE_INFINITY });
            const most = Math.max(
              ...held.filter(({ until }) => until >= now - 10_000).map((span) => span.count),
            );
            expect(guard.counted(count, now)).toBe(most >= minimum && count < most * fraction);
            expect(guard.guards(now)).toBe(most >= minimum);
          }
        },
      ),
    );
  });
});

describe('a table with a guard', () => {
  const tableOptions = {
    maxConnecting: 64,
    connectTimeoutMs: 20_000,
    drainTimeoutMs: 30_000,
    reconnect: { baseMs: 250, maxMs: 15_000 },
    maxPending: () => Number.POSITIVE_INFINITY,
  };
  const fleet = (size: number, guard: RemovalGuardOptions | undefined = DEFAULTS) => {
    const table = new Table({ ...tableOptions, guard }, () => 0);
    const all = Array.from({ length: size }, (_, i) => endpoint(`id-${i}`, `h:${i}`));
    table.applySnapshot(all, 0);
    for (const row of table.rows()) table.connectivityChanged(row, { kind: 'ready' }, 0);
    return { table, all };
  };
  const unconfirmed = (table: Table) =>
    [...table.announced()].filter((row) => row.unconfirmed).map((r) => r.endpoint.address);

  it('keeps what vanished too much at once, of earlier in the window too, for the time of grace', () => {
    const { table, all } = fleet(4);
    table.applyChanges([], ['id-0', 'id-1'], 1_000);
    expect([table.size, table.ready.length]).toEqual([2, 2]);
    table.applySnapshot([all[3]!], 9_000);
    expect(unconfirmed(table).sort()).toEqual(['h:0', 'h:1', 'h:2']);
    expect(table.ready.length).toBe(4);
    for (const row of [...table.announced()]) if (row.unconfirmed) table.timerFired(row, 69_000);
    expect([...table.announced()].map((row) => row.endpoint.address)).toEqual(['h:3']);
  });

  it('makes ordinary rows of those that are announced again, their connections untouched', () => {
    const { table, all } = fleet(4);
    table.applySnapshot([], 1);
    expect(unconfirmed(table).length).toBe(4);
    const effects = table.applySnapshot(all, 2);
    expect(unconfirmed(table)).toEqual([]);
    expect(
      effects.map(({ kind }) => kind).filter((kind) => kind === 'connect' || kind === 'discard'),
    ).toEqual([]);
    expect(table.ready.length).toBe(4);
  });

  it('lets an unconfirmed row go at a disconnect, and when it says that it does not serve', () => {
    const { table } = fleet(4);
    table.applySnapshot([], 1);
    const [a, b, ...rest] = [...table.announced()];
    table.connectivityChanged(a!, { kind: 'lost' }, 2);
    table.setServing(b!, false, 3);
    expect([...table.announced()]).toEqual(rest);
  });

  it('lets an unconfirmed row go when its connection breaks', () => {
    const { table } = fleet(4);
    table.applySnapshot([], 1);
    const [a, ...rest] = [...table.announced()];
    table.connectivityChanged(a!, { kind: 'broken', cause: new Error('no answer') }, 2);
    expect([...table.announced()]).toEqual(rest);
  });

  it('lets a row go once, whatever is heard of it while it drains', () => {
    const { table } = fleet(4);
    const [a] = [...table.announced()];
    table.started(a!);
    table.applySnapshot([], 1);
    const gone = table.timerFired(a!, 60_001).filter(({ kind }) => kind === 'gone');
    expect(gone).toHaveLength(1);
    expect(a).toMatchObject({ unconfirmed: false, state: { kind: 'draining' } });
    expect(table.setServing(a!, false, 60_002).filter(({ kind }) => kind === 'gone')).toEqual([]);
  });

  it('keeps a row that was not READY out of it', () => {
    const { table } = fleet(4);
    const [a] = [...table.announced()];
    table.connectivityChanged(a!, { kind: 'lost' }, 0);
    table.applySnapshot([], 1);
    expect(unconfirmed(table)).toEqual(['h:1', 'h:2', 'h:3']);
  });

  it('brings a row back in good standing, though it was ejected when it was removed', () => {
    const { table } = fleet(4);
    const [a] = [...table.announced()];
    table.setEjected(a!, true, 0);
    table.applyChanges([], ['id-0'], 1);
    table.applySnapshot([], 2);
    expect(unconfirmed(table).length).toBe(4);
    // Its connection is told as new, and whoever ejects knows nothing against it any more.
    expect(a).toMatchObject({ state: { kind: 'ready', since: 2 }, ejected: false });
    expect(table.ready).toContain(a);
  });

  it('believes replacements, and everything when it is off', () => {
    const { table } = fleet(4);
    table.applySnapshot(
      [4, 5, 6, 7].map((i) => endpoint(`id-${i}`, `h:${i}`)),
      1,
    );
    expect(unconfirmed(table)).toEqual([]);
    expect(table.ready.length).toBe(0);
    const off = new Table({ ...tableOptions, guard: undefined }, () => 0);
    off.applySnapshot(
      [1, 2, 3].map((i) => endpoint(`id-${i}`, `h:${i}`)),
      0,
    );
    for (const row of off.rows()) off.connectivityChanged(row, { kind: 'ready' }, 0);
    off.applySnapshot([], 1);
    expect([...off.rows()]).toEqual([]);
  });
});
