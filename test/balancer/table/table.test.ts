import { describe, expect, it } from 'vitest';
import { endpoint } from '../../support/endpoints.js';
import { connected, TableDriver } from '../../support/table-driver.js';

const A = endpoint('a', 'h:1');
const B = endpoint('b', 'h:2');

describe('what is announced', () => {
  it('connects what is put, and exposes it when it is READY', () => {
    const t = new TableDriver().put(A);
    expect(t.take()).toEqual(['put a@h:1', 'queued h:1', 'connecting h:1', 'timer h:1 20000', 'connect h:1']);
    expect(t.picks).toBe('');
    t.ready('h:1');
    expect(t.take()).toEqual(['ready h:1', 'added h:1']);
    expect(t.picks).toBe('h:1');
  });

  it('removes by id, and discards the connection', () => {
    const t = connected(A, B);
    t.take();
    t.remove('a');
    expect(t.take().sort()).toEqual(['closed h:1', 'discard h:1', 'gone a@h:1', 'removed h:1']);
    expect(t.picks).toBe('h:2');
    expect(t.table.size).toBe(1);
  });

  it('ignores the removal of what it does not know', () => {
    const t = connected(A);
    t.take();
    expect(t.remove('zz').take()).toEqual([]);
  });

  it('keeps the connection of an address while any id announces it', () => {
    const t = connected(A);
    const row = t.row('h:1');
    t.put(endpoint('b', 'h:1')).take();
    t.remove('a');
    expect(t.take()).toEqual(['put b@h:1', 'updated h:1']);
    expect(t.row('h:1')).toBe(row);
    t.remove('b');
    expect(row.state.kind).toBe('closed');
  });

  it('lets the attributes of the smallest id hold, whatever came first', () => {
    const t = connected(endpoint('m', 'h:1', { metadata: { from: 'm' } }));
    const row = t.row('h:1');
    t.put(endpoint('z', 'h:1', { metadata: { from: 'z' } }));
    expect(row.endpoint.metadata).toEqual({ from: 'm' });
    t.put(endpoint('c', 'h:1', { metadata: { from: 'c' } }));
    expect(row.endpoint.metadata).toEqual({ from: 'c' });
    t.remove('c');
    expect(row.endpoint.metadata).toEqual({ from: 'm' });
    t.remove('m');
    expect(row.endpoint.metadata).toEqual({ from: 'z' });
    expect([...row.ids.keys()]).toEqual(['z']);
  });

  it('moves an id to another address, as a removal and a new row', () => {
    const t = connected(A);
    const old = t.row('h:1');
    t.put(endpoint('a', 'h:9'));
    expect(old.state.kind).toBe('closed');
    expect(t.state('h:9')).toBe('connecting');
    expect(t.table.size).toBe(1);
  });

  it('moves an id onto an address that another announces', () => {
    const t = connected(A, B);
    const row = t.row('h:2');
    t.put(endpoint('a', 'h:2', { metadata: { v: '2' } }));
    expect(t.picks).toBe('h:2');
    expect(t.row('h:2')).toBe(row);
    expect(row.endpoint.id).toBe('a');
    t.remove('b');
    expect(t.row('h:2')).toBe(row);
    t.remove('a');
    expect(t.table.size).toBe(0);
  });

  it('sees a batch as one: who takes over an address in it keeps the connection', () => {
    const t = connected(A, B);
    const [one, two] = [t.row('h:1'), t.row('h:2')];
    t.changes([endpoint('c', 'h:1')], ['a']);
    t.snapshot(endpoint('d', 'h:1'), B);
    t.put(endpoint('d', 'h:2'), endpoint('b', 'h:1'));
    expect(t.row('h:1')).toBe(one);
    expect(t.row('h:2')).toBe(two);
    expect(t.picks).toBe('h:1 h:2');
    expect(t.take().filter((entry) => /discard|removed|gone/.test(entry))).toEqual([]);
  });

  it('compares a snapshot by value: nothing happens to what is equal', () => {
    const t = connected(endpoint('a', 'h:1', { weight: 2, metadata: { zone: 'x', v: '1' } }), B);
    t.take();
    t.snapshot(endpoint('a', 'h:1', { weight: 2, metadata: { v: '1', zone: 'x' } }), { ...B });
    expect(t.take()).toEqual([]);
    t.snapshot(endpoint('a', 'h:1', { weight: 2, metadata: { zone: 'y', v: '1' } }), endpoint('c', 'h:3'));
    expect(t.take().sort()).toEqual([
      'closed h:2',
      'connect h:3',
      'connecting h:3',
      'discard h:2',
      'gone b@h:2',
      'put a@h:1',
      'put c@h:3',
      'queued h:3',
      'removed h:2',
      'timer h:3 20000',
      'updated h:1',
    ]);
  });

  it('does not hurry anybody for a snapshot that says the same', () => {
    const t = new TableDriver().snapshot(A).failed('h:1');
    t.take();
    t.snapshot(A);
    expect(t.take()).toEqual([]);
    expect(t.state('h:1')).toBe('failed');
  });
});

describe('slots', () => {
  it('gives a slot away again only when no call of its row is pending', () => {
    const t = connected(A).start('h:1');
    const row = t.row('h:1');
    t.remove('a').advance(30_000);
    expect(row.state.kind).toBe('closed');
    t.put(B);
    expect(t.row('h:2').slot).toBe(1);
    t.finish(row).put(endpoint('c', 'h:3'), endpoint('d', 'h:4'));
    expect([t.row('h:3').slot, t.row('h:4').slot]).toEqual([0, 2]);
  });

  it('stays dense while endpoints come and go', () => {
    const t = connected(A, B);
    for (let i = 0; i < 100; i++) {
      t.put(endpoint(`id${i}`, `h:${100 + i}`));
      expect(t.row(`h:${100 + i}`).slot).toBe(2);
      t.remove(`id${i}`);
    }
  });
});

describe('weights and limits', () => {
  const zero = endpoint('z', 'h:9', { weight: 0 });

  it('keeps rows of weight 0 back while any weight is above 0', () => {
    const t = connected(A, zero);
    expect(t.picks).toBe('h:1');
    t.remove('a');
    expect(t.picks).toBe('h:9');
    t.put(endpoint('b', 'h:2', { weight: 0.1 }));
    expect(t.picks).toBe('');
    t.ready('h:2');
    expect(t.picks).toBe('h:2');
    t.put(endpoint('b', 'h:2', { weight: 0 }));
    expect(t.picks).toBe('h:2 h:9');
    t.put(endpoint('z', 'h:9', { weight: 5 }));
    expect(t.picks).toBe('h:9');
  });

  it('counts room by the limit of each, and follows limits that change', () => {
    const limited = (n: number) => endpoint('a', 'h:1', { metadata: { limit: String(n) } });
    const t = new TableDriver({ maxPending: ({ metadata }) => Number(metadata.limit ?? Infinity) });
    t.put(limited(2)).ready('h:1');
    expect(t.table.available).toBe(1);
    t.start('h:1').start('h:1');
    expect(t.table.available).toBe(0);
    t.put(limited(3));
    expect(t.table.available).toBe(1);
    t.put(limited(1));
    expect(t.table.available).toBe(0);
    t.finish('h:1');
    expect(t.table.available).toBe(0);
    t.finish('h:1');
    expect(t.table.available).toBe(1);
  });

  it('comes back full when its calls outlive its connection', () => {
    const t = new TableDriver({ maxPending: () => 1 }).put(A).ready('h:1').start('h:1').advance(1_000);
    t.lost('h:1').ready('h:1');
    expect([t.picks, t.table.available]).toEqual(['h:1', 0]);
    t.finish('h:1');
    expect(t.table.available).toBe(1);
  });
});

describe('what the picker is told', () => {
  it('is told of one change for a batch, from what it knew to what is', () => {
    const v = (n: number, weight = 1) => endpoint('a', 'h:1', { weight, metadata: { v: String(n) } });
    const t = connected(v(1), B);
    t.take();
    t.put(v(2), v(3));
    expect(t.take(/updated|added|removed/)).toEqual(['updated h:1']);
    t.put(v(4), v(3));
    expect(t.take(/updated|added|removed/)).toEqual([]);
    t.put(v(5, 0));
    expect(t.take(/updated|added|removed/)).toEqual(['updated h:1', 'removed h:1']);
    t.changes([v(6, 0)], ['b']);
    expect(t.take(/updated h:1|added|removed h:1/)).toEqual(['added h:1']);
    t.put(endpoint('c', 'h:3'), v(7, 2));
    expect(t.take(/updated|added|removed/)).toEqual(['updated h:1']);
  });
});
