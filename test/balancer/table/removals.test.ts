import { describe, expect, it } from 'vitest';
import { Removals } from '../../../src/balancer/table/removals.js';
import { Row } from '../../../src/balancer/table/row.js';
import { endpoint } from '../../support/endpoints.js';

const GUARD = { windowMs: 1_000, fraction: 0.5, minimum: 3, graceMs: 5_000 };
const DRAIN_MS = 200;

function draining({ pending = 0, connected = true, since = 0 } = {}): Row {
  const row = new Row(endpoint('a', 'h:1'), 0, 1);
  row.pending = pending;
  row.state = { kind: 'draining', since, connected };
  return row;
}

/** Removals of a fleet that was of four rows until time 0. */
function ofFour(): Removals<unknown> {
  const removals = new Removals<unknown>(GUARD, DRAIN_MS);
  removals.tooMany(4, 0);
  return removals;
}

describe('removals', () => {
  it('without a guard keep nothing but rows with calls, and are always believed', () => {
    const removals = new Removals<unknown>(undefined, DRAIN_MS);
    expect(removals.graceMs).toBe(0);
    expect(removals.tooMany(100, 0)).toBe(false);
    expect(removals.tooMany(0, 1)).toBe(false);
    expect(removals.drain(draining(), true, 1)).toBeUndefined();
    const busy = draining({ pending: 1 });
    expect(removals.drain(busy, true, 1)).toBe(DRAIN_MS);
    expect([...removals.draining]).toEqual([busy]);
    expect(removals.canRestore(draining(), 1)).toBe(false);
    expect(removals.leftMs(draining(), 0)).toBe(0);
  });

  it('with a guard keep a connection for its window', () => {
    const removals = ofFour();
    expect(removals.graceMs).toBe(5_000);
    const row = draining({ since: 10 });
    expect(removals.drain(row, true, 10)).toBe(1_000);
    expect([...removals.draining]).toEqual([row]);
    expect(removals.leftMs(row, 10)).toBe(1_000);
    expect(removals.leftMs(row, 900)).toBe(110);
    expect(removals.drain(draining({ connected: false }), false, 10)).toBeUndefined();
    expect(removals.leftMs(draining({ connected: false, since: 10 }), 10)).toBe(0);
  });

  it('give calls their time to drain, and no more', () => {
    const removals = ofFour();
    const row = draining({ pending: 1, since: 10 });
    expect(removals.drain(row, true, 10)).toBe(DRAIN_MS);
    expect(removals.leftMs(row, 110)).toBe(100);
    expect(removals.leftMs(row, 310)).toBe(-100);
    row.state = { kind: 'closed' };
    expect(removals.leftMs(row, 310)).toBe(0);
  });

  it('can be taken back within the window, to its last moment, where the connection holds', () => {
    const removals = ofFour();
    expect(removals.canRestore(draining({ since: 10 }), 1_009)).toBe(true);
    expect(removals.canRestore(draining({ since: 10 }), 1_010)).toBe(true);
    expect(removals.canRestore(draining({ since: 10 }), 1_011)).toBe(false);
    expect(removals.canRestore(draining({ connected: false }), 0)).toBe(false);
    const ready = draining();
    ready.state = { kind: 'ready', since: 0 };
    expect(removals.canRestore(ready, 0)).toBe(false);
  });

  it('are too many below the fraction, and believed once nobody guards them', () => {
    const removals = ofFour();
    expect(removals.tooMany(2, 10)).toBe(false);
    expect(removals.tooMany(1, 20)).toBe(true);
    removals.believe();
    expect(removals.tooMany(0, 30)).toBe(false);
    expect(removals.graceMs).toBe(0);
  });
});
