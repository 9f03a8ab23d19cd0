import { describe, expect, it } from 'vitest';
import { Patience } from '../../../src/registry/etcd/patience.js';
import { type EtcdConnection, EtcdError } from '../../../src/registry/etcd/port.js';
import { PageSize, readSnapshot } from '../../../src/registry/etcd/snapshot.js';
import { VirtualClock } from '../../../src/testing/virtual-clock.js';
import { FakeConnection } from './fake-connection.js';

function world(keys: number, bytes = 3) {
  const clock = new VirtualClock();
  const connection = new FakeConnection(keys, bytes);
  const pageSize = new PageSize();
  const patience = new Patience(1);
  const read = () =>
    readSnapshot({
      connection: connection as unknown as EtcdConnection,
      keysBegin: Buffer.from('/p/s/'),
      requestTimeoutMs: 1_000,
      patience,
      pageSize,
      clock,
      signal: new AbortController().signal,
    });
  const limits = () => connection.pages.map(([, limit]) => limit);
  return { clock, connection, pageSize, patience, read, limits };
}

const timedOut = () => new EtcdError('timed-out', '4 DEADLINE_EXCEEDED');

describe('readSnapshot', () => {
  it('asks for half of a page that was too much for its time, down to one key, where something was heard', async () => {
    const { connection, read, limits } = world(150);
    connection.onPage = async ({ limit = 0 }) => {
      connection.heardAt = 1;
      if (limit > 13) throw timedOut();
    };
    const { entries } = await read();
    expect(entries).toHaveLength(150);
    expect(limits().slice(0, 5)).toEqual([100, 50, 25, 13, 130]);
    connection.onPage = async () => {
      throw timedOut();
    };
    await expect(read()).rejects.toThrow('DEADLINE_EXCEEDED');
    expect(limits().at(-1)).toBe(1);
  });

  it('gives a member up that was silent: another is to be asked', async () => {
    const { clock, connection, patience, read, limits } = world(150);
    await clock.advance(10);
    connection.onPage = () => Promise.reject(timedOut());
    await expect(read()).rejects.toThrow('DEADLINE_EXCEEDED');
    expect(limits()).toEqual([100]);
    expect(patience.callMs(1_000, { connecting: true })).toBe(2_000);
  });

  it('measures how long etcd takes, and half of the first answer, which had to connect', async () => {
    // RFC 6298: of one round trip r, r + 4 x r / 2.
    for (const [heardAt, expected] of [
      [0, 3 * 1_000],
      [Number.NEGATIVE_INFINITY, 3 * 500],
    ] as const) {
      const { clock, connection, patience, read } = world(1);
      connection.heardAt = heardAt;
      connection.onPage = () => clock.advance(1_000);
      await read();
      expect(patience.answerMs(1)).toBe(expected);
    }
  });

  it('gives up at once what is refused or cannot be reached', async () => {
    for (const kind of ['unreachable', 'refused'] as const) {
      const { connection, patience, read, limits } = world(150);
      connection.onPage = () => Promise.reject(new EtcdError(kind, 'no'));
      await expect(read()).rejects.toThrow('no');
      expect([limits(), patience.callMs(1_000, { connecting: true })]).toEqual([[100], 1_000]);
    }
  });

  it('asks for what fits by what came, ten times as much at the most, and keeps that for the next snapshot', async () => {
    const big = world(40, 600_000);
    await big.read();
    expect(big.pageSize.keys).toBe(2);
    await big.read();
    expect(big.limits().slice(0, 4)).toEqual([100, 2, 2, 2]);

    const small = world(30_000);
    await small.read();
    expect(small.limits()).toEqual([100, 1_000, 10_000, 10_000, 10_000]);
    const none = world(0);
    await none.read();
    expect(none.pageSize.keys).toBe(100);
  });
});
