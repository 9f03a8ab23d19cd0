import { describe, expect, it } from 'vitest';
import { endpoint } from '../../support/endpoints.js';
import { connected, TableDriver } from '../../support/table-driver.js';

const A = endpoint('a', 'h:1');
const B = endpoint('b', 'h:2');

describe('connecting', () => {
  it('connects at most so many at once, the rest in order as places come free', () => {
    const all = Array.from({ length: 70 }, (_, i) => endpoint(`id${i}`, `h:${100 + i}`));
    const t = new TableDriver().snapshot(...all);
    const connects = () => t.take().filter((entry) => entry.startsWith('connect h'));
    expect(connects()).toEqual(all.slice(0, 64).map(({ address }) => `connect ${address}`));
    t.ready('h:130');
    expect(connects()).toEqual(['connect h:164']);
    t.failed('h:100');
    expect(connects()).toEqual(['connect h:165']);
    t.remove('id1', 'id66');
    expect(connects()).toEqual(['connect h:167']);
    t.advance(20_000);
    expect(connects()).toContain('connect h:169');
  });

  it('gives up connecting after its time, and tries again on a new connection', () => {
    const t = new TableDriver().put(A);
    t.advance(19_999);
    expect(t.state('h:1')).toBe('connecting');
    t.take();
    t.advance(1);
    expect(t.row('h:1').state).toMatchObject({
      kind: 'failed',
      cause: { code: 'CONNECT_FAILED', message: 'h:1 did not become READY within 20000 ms' },
    });
    expect(t.take().slice(0, 2)).toEqual(['discard h:1', 'failed h:1']);
    t.advance(300);
    expect(t.take()).toEqual(['queued h:1', 'connecting h:1', 'timer h:1 20000', 'connect h:1']);
  });

  it('backs off by 1.6 with a fifth of jitter, up to its most', () => {
    const t = new TableDriver().put(A);
    const waits: number[] = [];
    for (let i = 0; i < 14; i++) {
      t.failed('h:1');
      waits.push(t.timerIn('h:1')!);
      t.advance(t.timerIn('h:1')!);
    }
    waits.forEach((wait, n) => {
      const middle = Math.min(15_000, 250 * 1.6 ** n);
      expect(Math.abs(wait / middle - 1)).toBeLessThanOrEqual(0.2 + 1e-9);
    });
    expect(new Set(waits).size).toBe(waits.length);
  });

  it('wakes a connection that was lost at once, and starts the back-off over', () => {
    const t = new TableDriver().put(A).failed('h:1');
    t.advance(t.timerIn('h:1')!).failed('h:1');
    t.advance(t.timerIn('h:1')!).ready('h:1').advance(1_000).take();
    t.lost('h:1');
    expect(t.take()).toContain('connect h:1');
    expect(t.row('h:1').failures).toBe(0);
    t.failed('h:1');
    expect(t.timerIn('h:1')).toBeLessThanOrEqual(300);
  });

  it('takes a connection that is lost right after it was made for a failure, but keeps it', () => {
    const t = new TableDriver().put(A).ready('h:1').advance(999);
    t.take();
    t.lost('h:1');
    expect(t.take(/connect|discard|removed|failed/)).toEqual(['failed h:1', 'removed h:1']);
    expect(t.row('h:1').state).toMatchObject({
      cause: { message: 'h:1: connection lost 999 ms after it was made' },
    });
    t.advance(t.timerIn('h:1')!);
    expect(t.take(/connect /)).toEqual(['connect h:1']);
    const [first] = [t.row('h:1').failures];
    t.ready('h:1').lost('h:1');
    expect(t.row('h:1').failures).toBe(first! + 1);
  });

  it('takes a connection that has broken for an attempt that failed, where it was READY', () => {
    const driver = new TableDriver();
    driver.snapshot(endpoint('a', 'h:1')).ready('h:1');
    const cause = new Error('no answer');
    const tell = () =>
      driver.run(driver.table.connectivityChanged(driver.row('h:1'), { kind: 'broken', cause }, driver.now));
    driver.take();
    tell();
    expect(driver.row('h:1').state).toMatchObject({ kind: 'failed', cause });
    expect(driver.take(/discard|timer/)).toHaveLength(2);
    tell();
    expect(driver.take()).toEqual([]);
  });

  it('reconnects a failed row now when it is put again', () => {
    const t = new TableDriver().put(A).failed('h:1');
    t.take();
    t.put(A);
    expect(t.take(/connect /)).toEqual(['connect h:1']);
    expect(t.timerIn('h:1')).toBe(20_000);
  });

  it('reconnects a failed row now when another id is put on it', () => {
    const t = new TableDriver().put(A).failed('h:1');
    t.put(endpoint('b', 'h:1'));
    expect(t.state('h:1')).toBe('connecting');
  });

  it('starts an attempt anew when it is put again, unless it has only just begun', () => {
    const t = new TableDriver().put(A).advance(999);
    t.take();
    expect(t.put(A).take()).toEqual([]);
    t.advance(1).put(A);
    expect(t.take(/connect |discard/)).toEqual(['discard h:1', 'connect h:1']);
    expect(t.timerIn('h:1')).toBe(20_000);
  });

  it('leaves a READY row alone when it is put again', () => {
    const t = connected(A);
    t.take();
    expect(t.put(A).take()).toEqual([]);
  });

  it('ignores news and timers of rows that are gone, and news out of season', () => {
    const t = connected(A);
    const old = t.row('h:1');
    t.remove('a').put(endpoint('b', 'h:1')).take();
    const young = t.row('h:1');
    expect(young).not.toBe(old);
    t.ready(old).failed(old).lost(old);
    t.run(t.table.timerFired(old, t.now));
    t.lost(young);
    expect(t.take()).toEqual([]);
    t.ready(young).take();
    t.failed(young).ready(young);
    expect(t.take()).toEqual([]);
    t.advance(1_000).lost(young).failed(young).take();
    t.ready(young).lost(young);
    expect(t.take()).toEqual([]);
    expect(t.state(young)).toBe('failed');
  });
});

describe('draining', () => {
  it('keeps a removed row until its last call is over', () => {
    const t = connected(A, B).start('h:1').start('h:1');
    const row = t.row('h:1');
    t.take();
    t.remove('a');
    expect(t.take().sort()).toEqual(['draining h:1', 'gone a@h:1', 'removed h:1', 'timer h:1 30000']);
    expect(t.table.size).toBe(1);
    expect([...t.table.rows()]).toContain(row);
    t.finish(row);
    expect(t.take()).toEqual([]);
    t.finish(row);
    expect(t.take()).toEqual(['closed h:1', 'discard h:1']);
    expect([...t.table.rows()]).not.toContain(row);
    expect(t.timers).toBe(0);
  });

  it('cancels what has not finished in time', () => {
    const t = connected(A).start('h:1');
    const row = t.row('h:1');
    t.remove('a').advance(29_999);
    expect(row.state.kind).toBe('draining');
    t.take();
    t.advance(1);
    expect(t.take()).toEqual(['cancel h:1', 'closed h:1', 'discard h:1']);
    expect(t.table.pending).toBe(1);
    t.finish(row);
    expect(t.table.pending).toBe(0);
    expect(t.take()).toEqual([]);
  });

  it('cancels at its time, however time is rounded', () => {
    for (let i = 0; i < 100; i++) {
      const t = connected(A)
        .advance(i / 7)
        .start('h:1')
        .remove('a')
        .advance(30_000);
      expect(t.cancelled.size).toBe(1);
    }
  });

  it('makes a new row for an address that comes back while the old one drains', () => {
    const t = connected(A).start('h:1');
    const old = t.row('h:1');
    t.remove('a').put(A);
    const young = t.row('h:1');
    expect(young).not.toBe(old);
    expect(young.slot).not.toBe(old.slot);
    t.ready(young).finish(old);
    expect(t.picks).toBe('h:1');
    expect(t.table.ready[0]).toBe(young);
  });

  it('drains a row that was reconnecting, and one that had failed', () => {
    const t = connected(A, B).start('h:1').start('h:2');
    const [one, two] = [t.row('h:1'), t.row('h:2')];
    t.lost(one).lost(two).failed(two);
    t.remove('a', 'b');
    expect([one.state.kind, two.state.kind]).toEqual(['draining', 'draining']);
    t.finish(one).advance(30_000);
    expect(t.cancelled).toEqual(new Set([two]));
    t.finish(two);
    expect([one.state.kind, two.state.kind, t.timers]).toEqual(['closed', 'closed', 0]);
  });

  it('removes everything at close', () => {
    const t = connected(A, B, endpoint('c', 'h:3')).start('h:2');
    const row = t.row('h:2');
    t.lost('h:3').close();
    expect(t.table.size).toBe(0);
    expect([...t.table.rows()]).toEqual([row]);
    t.finish(row);
    expect([...t.table.rows()]).toEqual([]);
    expect(t.timers).toBe(0);
  });

  it('keeps nothing for a guard once it is closed', () => {
    const guard = { windowMs: 10_000, fraction: 0.5, minimum: 1, graceMs: 60_000 };
    const t = new TableDriver({ guard }).snapshot(A, B).ready('h:1').ready('h:2').start('h:1');
    const row = t.row('h:1');
    t.remove('a').close().finish(row);
    expect(t.timers).toBe(0);
  });
});

describe('a subset', () => {
  it('lets a row that comes back to it start its back-off over', () => {
    const t = new TableDriver({ subset: { size: 1, seed: 1 } }).put(A, B);
    const member = t.state('h:1') === 'connecting' ? 'h:1' : 'h:2';
    const other = member === 'h:1' ? 'h:2' : 'h:1';
    t.failed(member);
    for (let i = 0; i < 4; i++) t.failed(other).advance(t.timerIn(other)!);
    expect(t.row(other).failures).toBe(4);
    t.ready(other);
    expect(t.state(member)).toBe('connecting');
    t.ready(member);
    expect(t.state(other)).toBe('idle');
    t.advance(1_000).lost(member).failed(member);
    expect(t.state(other)).toBe('connecting');
    t.failed(other);
    expect(t.timerIn(other)).toBeLessThanOrEqual(300);
  });
});

describe('a guard', () => {
  const guard = { windowMs: 10_000, fraction: 0.5, minimum: 2, graceMs: 60_000 };

  it('brings nothing back whose connection does not hold', () => {
    const t = new TableDriver({ guard }).snapshot(A, B, endpoint('c', 'h:3')).ready('h:1').ready('h:2');
    t.advance(1_000).start('h:1').start('h:2').lost('h:1');
    const reconnecting = t.row('h:1');
    t.snapshot();
    expect(t.picks).toBe('h:2');
    expect(t.row('h:2').unconfirmed).toBe(true);
    expect(reconnecting.state.kind).toBe('draining');
    t.finish(reconnecting);
    expect(reconnecting.state.kind).toBe('closed');
  });
});
