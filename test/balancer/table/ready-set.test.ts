// The rules of what may be picked, one row at a time.
import { describe, expect, it } from 'vitest';
import { ReadySet } from '../../../src/balancer/table/ready-set.js';
import { Row } from '../../../src/balancer/table/row.js';
import { endpoint } from '../../support/endpoints.js';

function setUp() {
  const set = new ReadySet<unknown>();
  let slots = 0;
  return {
    set,
    row(address: string, { weight = 1, ready = true, limit = Number.POSITIVE_INFINITY } = {}) {
      const row = new Row<unknown>(endpoint(address, address, { weight }), slots++, limit);
      if (ready) row.state = { kind: 'ready', since: 0 };
      if (weight > 0) set.weigh(1);
      set.update(row);
      return row;
    },
    eject(row: Row, ejected = true) {
      row.ejected = ejected;
      set.update(row);
    },
    get picks() {
      return set.rows.map((row) => row.endpoint.address).sort();
    },
    news: () =>
      [...set.news()].map((effect) =>
        'row' in effect ? `${effect.kind} ${effect.row.endpoint.address}` : effect.kind,
      ),
  };
}

/** Every row stands where it says, and those with room are counted. */
function mustHold({ rows, available }: ReadySet<unknown>): void {
  expect(rows.map(({ position }) => position)).toEqual(rows.map((_, i) => i));
  expect(available).toBe(rows.filter(({ full }) => !full).length);
}

describe('the READY set', () => {
  it('holds rows that are READY and serve', () => {
    const it = setUp();
    const [a, b] = [it.row('a'), it.row('b', { ready: false })];
    expect(it.picks).toEqual(['a']);
    a.serving = false;
    it.set.update(a);
    b.state = { kind: 'ready', since: 0 };
    it.set.update(b);
    expect(it.picks).toEqual(['b']);
    expect(a.position).toBe(-1);
    mustHold(it.set);
  });

  it('fills the gap of one that leaves with the last', () => {
    const it = setUp();
    const [a, b, c] = [it.row('a'), it.row('b'), it.row('c')];
    a.serving = false;
    it.set.update(a);
    expect(it.set.rows).toEqual([c, b]);
    mustHold(it.set);
    c.serving = false;
    it.set.update(c);
    expect(it.set.rows).toEqual([b]);
    mustHold(it.set);
  });

  it('counts the room of rows that come, go and get another limit', () => {
    const it = setUp();
    const [a, b] = [it.row('a', { limit: 1 }), it.row('b', { limit: 2 })];
    expect(it.set.available).toBe(2);
    it.set.limit(a, 0);
    expect(it.set.available).toBe(1);
    it.set.limit(a, 0);
    expect(it.set.available).toBe(1);
    it.set.limit(a, 3);
    expect(it.set.available).toBe(2);
    a.serving = false;
    it.set.update(a);
    it.set.limit(a, 0);
    expect(it.set.available).toBe(1);
    b.serving = false;
    it.set.limit(b, 0);
    it.set.update(b);
    expect(it.set.available).toBe(0);
    b.serving = true;
    it.set.update(b);
    expect(it.set.available).toBe(0);
  });

  it('keeps weight 0 back while any row of the table is above it, READY or not', () => {
    const it = setUp();
    const light = it.row('light', { weight: 0 });
    expect(it.picks).toEqual(['light']);
    const heavy = it.row('heavy', { ready: false });
    expect(it.picks).toEqual([]);
    expect(light.candidate).toBe(false);
    const second = it.row('second');
    expect(it.picks).toEqual(['second']);
    it.set.weigh(-1);
    expect(it.picks).toEqual(['second']);
    second.state = { kind: 'closed' };
    it.set.update(second);
    heavy.state = { kind: 'closed' };
    it.set.update(heavy);
    it.set.weigh(-1);
    expect(it.picks).toEqual(['light']);
    mustHold(it.set);
  });

  it('moves those of weight 0 at the first and the last weight, ejected ones too, and not between', () => {
    const it = setUp();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => it.row(name, { weight: 0 })) as [Row, Row, Row];
    it.eject(a);
    expect(it.picks).toEqual(['b', 'c']);
    it.set.weigh(1);
    expect(it.picks).toEqual([]);
    expect([a, b, c].map(({ candidate }) => candidate)).toEqual([false, false, false]);
    it.set.weigh(1);
    it.set.weigh(-1);
    expect(it.picks).toEqual([]);
    it.set.weigh(-1);
    expect(it.picks).toEqual(['b', 'c']);
    it.eject(a, false);
    expect(it.picks).toEqual(['a', 'b', 'c']);
  });

  it('does not bring back one of weight 0 that has left meanwhile', () => {
    const it = setUp();
    const light = it.row('light', { weight: 0 });
    it.set.weigh(1);
    light.state = { kind: 'closed' };
    it.set.update(light);
    it.set.weigh(-1);
    expect(it.picks).toEqual([]);
  });

  it('leaves ejected rows out while at least half of what could be picked is left', () => {
    const it = setUp();
    const rows = ['a', 'b', 'c', 'd'].map((name) => it.row(name));
    it.eject(rows[0]!);
    it.eject(rows[1]!);
    expect(it.picks).toEqual(['c', 'd']);
    it.eject(rows[2]!);
    expect(it.picks).toEqual(['a', 'b', 'c', 'd']);
    it.eject(rows[3]!);
    expect(it.picks).toEqual(['a', 'b', 'c', 'd']);
    it.eject(rows[3]!, false);
    it.eject(rows[2]!, false);
    expect(it.picks).toEqual(['c', 'd']);
    mustHold(it.set);
  });

  it('counts what could be picked as rows come and go, too', () => {
    const it = setUp();
    const [a, b, c] = [it.row('a'), it.row('b'), it.row('c')];
    it.eject(a);
    expect(it.picks).toEqual(['b', 'c']);
    c.state = { kind: 'closed' };
    it.set.update(c);
    expect(it.picks).toEqual(['b']);
    b.state = { kind: 'closed' };
    it.set.update(b);
    expect(it.picks).toEqual(['a']);
    it.row('d');
    expect(it.picks).toEqual(['d']);
    a.serving = false;
    it.set.update(a);
    expect(it.picks).toEqual(['d']);
    a.serving = true;
    it.set.update(a);
    expect(it.picks).toEqual(['d']);
  });

  it('tells the picker one step for each row, from what it knew to what is', () => {
    const it = setUp();
    const a = it.row('a');
    expect(it.news()).toEqual(['added a']);
    expect(it.news()).toEqual([]);
    a.serving = false;
    it.set.update(a);
    a.serving = true;
    it.set.update(a);
    expect(it.news()).toEqual([]);
    it.set.changing(a);
    a.endpoint = { ...a.endpoint, weight: 2 };
    expect([...it.set.news()]).toEqual([
      { kind: 'updated', row: a, previous: expect.objectContaining({ weight: 1 }) },
    ]);
    const b = it.row('b');
    b.serving = false;
    it.set.update(b);
    expect(it.news()).toEqual([]);
    it.set.changing(a);
    a.endpoint = { ...a.endpoint, weight: 3 };
    a.serving = false;
    it.set.update(a);
    expect(it.news()).toEqual(['updated a', 'removed a']);
    it.set.changing(a);
    a.endpoint = { ...a.endpoint, weight: 4 };
    expect(it.news()).toEqual([]);
  });
});

describe('a row', () => {
  it('is full at its limit, and never without one', () => {
    const row = new Row(endpoint('a', 'a'), 0, 2);
    expect([row.pending, row.full, row.limit]).toEqual([0, false, 2]);
    row.pending = 1;
    expect(row.full).toBe(false);
    row.pending = 2;
    expect(row.full).toBe(true);
    row.limit = Number.POSITIVE_INFINITY;
    row.pending = 2 ** 30;
    expect(row.full).toBe(false);
  });

  it('begins idle, well, and out of the READY set', () => {
    expect(new Row(endpoint('a', 'a'), 3, 1)).toMatchObject({
      slot: 3,
      position: -1,
      picked: 0,
      failures: 0,
      unconfirmed: false,
      serving: true,
      ejected: false,
      candidate: false,
      state: { kind: 'idle' },
    });
  });
});
