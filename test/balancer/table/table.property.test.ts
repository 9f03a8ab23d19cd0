import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Row } from '../../../src/balancer/table/row.js';
import { endpoint } from '../../support/endpoints.js';
import { TableDriver } from '../../support/table-driver.js';
import { TableModel } from '../../support/table-model.js';

const IDS = ['a', 'b', 'c', 'd', 'e'];
const ADDRESSES = ['h:1', 'h:2', 'h:3', 'h:4'];

const anEndpoint = fc
  .record({
    id: fc.constantFrom(...IDS),
    address: fc.constantFrom(...ADDRESSES),
    weight: fc.constantFrom(0, 1, 1, 2),
    limit: fc.constantFrom('1', '2', '9'),
  })
  .map(({ id, address, weight, limit }) => endpoint(id, address, { weight, metadata: { limit } }));
const which = fc.nat(1_000);

const step = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('snapshot' as const),
      put: fc.array(anEndpoint, { maxLength: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('changes' as const),
      put: fc.array(anEndpoint, { maxLength: 3 }),
      removed: fc.subarray(IDS, { maxLength: 2 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('ready' as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('lost' as const, 'failed' as const), which }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('start' as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('finish' as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      ms: fc.constantFrom(1, 300, 999, 1_000, 40_000),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const maxPending = ({ metadata }: { metadata: Readonly<Record<string, string>> }) => Number(metadata.limit);
const at = <T>(all: readonly T[], which: number): T | undefined => all[which % all.length];

describe('the subchannel table, by a naive model', () => {
  it('agrees with it after any events in any order', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 80, size: 'max' }),
        fc.integer({ min: 1, max: 3 }),
        (steps, maxConnecting) => {
          const driver = new TableDriver({ maxConnecting, maxPending });
          const model = new TableModel(driver);
          for (const step of steps) modelled(model, step);
          model.close();
          // Whatever still runs ends, after the drain timeout or before it.
          while (model.rows.length > 0) {
            const [row] = model.rows;
            if (row!.phase === 'draining' && row!.pending > 1) model.advance(30_000);
            else model.finish(row!);
          }
          expect(driver.timers).toBe(0);
          expect([...driver.table.rows()]).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('keeps its invariants with a guard and a subset too, and leaves nothing behind', () => {
    const options = fc.record({
      maxConnecting: fc.integer({ min: 1, max: 3 }),
      guard: fc.option(
        fc.record({
          windowMs: fc.constantFrom(0, 500, 50_000),
          fraction: fc.constantFrom(0.5, 1),
          minimum: fc.constantFrom(1, 2),
          graceMs: fc.constantFrom(0, 10_000),
        }),
        { nil: undefined },
      ),
      subset: fc.option(fc.record({ size: fc.integer({ min: 1, max: 3 }), seed: fc.nat() }), {
        nil: undefined,
      }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), options, (steps, options) => {
        const driver = new TableDriver({ ...options, maxPending });
        for (const step of steps) driven(driver, step);
        driver.close();
        for (const row of driver.seen) while (row.pending > 0) driver.finish(row);
        expect(driver.timers).toBe(0);
        expect(driver.table.pending).toBe(0);
        expect([...driver.table.rows()]).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});

function modelled(model: TableModel, step: Step): void {
  const pick = <K extends 'start' | 'finish'>(rows: typeof model.rows, what: K, which: number) => {
    const row = at(rows, which);
    if (row !== undefined) model[what](row);
  };
  switch (step.do) {
    case 'snapshot':
      model.snapshot(step.put);
      break;
    case 'changes':
      model.changes(step.put, onlyRemoved(step));
      break;
    case 'advance':
      model.advance(step.ms);
      break;
    case 'start':
      pick(
        model.rows.filter(({ row }) => row.position >= 0 && !row.full),
        step.do,
        step.which,
      );
      break;
    case 'finish':
      pick(
        model.rows.filter(({ pending }) => pending > 0),
        step.do,
        step.which,
      );
      break;
    default: {
      const row = at(model.rows, step.which);
      if (row !== undefined) model.connectivity(row, step.do);
    }
  }
}

function driven(driver: TableDriver, step: Step): void {
  const pick = (
    rows: readonly Row[],
    what: 'start' | 'finish' | 'ready' | 'lost' | 'failed',
    which: number,
  ) => {
    const row = at(rows, which);
    if (row !== undefined) driver[what](row);
  };
  switch (step.do) {
    case 'snapshot':
      driver.snapshot(...step.put);
      break;
    case 'changes':
      driver.changes(step.put, onlyRemoved(step));
      break;
    case 'advance':
      driver.advance(step.ms);
      break;
    case 'start':
      pick(
        driver.table.ready.filter(({ full }) => !full),
        step.do,
        step.which,
      );
      break;
    case 'finish':
      pick(
        [...driver.seen].filter(({ pending }) => pending > 0),
        step.do,
        step.which,
      );
      break;
    default:
      pick([...driver.table.rows()], step.do, step.which);
  }
}

/** An id is put or removed in one batch, never both. */
function onlyRemoved({ put, removed }: Extract<Step, { do: 'changes' }>): string[] {
  return removed.filter((id) => put.every((endpoint) => endpoint.id !== id));
}
