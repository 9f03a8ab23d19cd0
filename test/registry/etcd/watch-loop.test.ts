// Session after session, on a virtual clock: how long is waited between them, and what is said of it.
import { describe, expect, it } from 'vitest';
import type { EtcdConnection } from '../../../src/registry/etcd/port.js';
import { etcdSettings } from '../../../src/registry/etcd/settings.js';
import { WatchLoop } from '../../../src/registry/etcd/watch-loop.js';
import { VirtualClock } from '../../../src/testing/virtual-clock.js';
import { FakeConnection } from './fake-connection.js';

/** Waits that are as long as they may be. */
const longest = (n: number) => n - 1;

function world(logger = { lines: [] as string[] }) {
  const clock = new VirtualClock();
  const connections: FakeConnection[] = [];
  const say = (line: string) => logger.lines.push(line);
  const settings = etcdSettings({ hosts: 'etcd', clock, random: longest, logger: { info: say, warn: say } });
  const loop = new WatchLoop('s', '/p/s/', settings, () => {
    const connection = new FakeConnection();
    connections.push(connection);
    return connection as unknown as EtcdConnection;
  });
  const last = () => connections.at(-1)!;
  /** Lets a session live so long, ends it, and returns how long it is until the next one. */
  const live = async (ms: number) => {
    last().say(100, 'created');
    for (let left = ms; left > 0; left -= 1_000) {
      await clock.advance(Math.min(left, 1_000));
      last().say(100);
    }
    const { length } = connections;
    last().end(new Error('gone'));
    const endedAt = clock.now();
    while (connections.length === length) await clock.advance(1);
    return clock.now() - endedAt;
  };
  return { clock, connections, loop, lines: logger.lines, last, live };
}

describe('WatchLoop', () => {
  it('waits longer after each session that was short, and begins anew after a good one', async () => {
    const { clock, loop, live } = world();
    await clock.advance(0);
    const short = [
      await live(10),
      await live(10),
      await live(10),
      await live(10),
      await live(10),
      await live(10),
    ];
    expect(short).toEqual([100, 200, 400, 800, 1_500, 1_500]);
    expect(await live(4_999)).toBe(1_500);
    // At once after a good one, and the next waits as after the first failure.
    expect(await live(5_000)).toBeLessThanOrEqual(1);
    expect(await live(10)).toBe(100);
    expect(await live(60_000)).toBeLessThanOrEqual(1);
    expect(await live(60_000)).toBeLessThanOrEqual(1);
    await loop.stop();
    expect(clock.pending).toBe(0);
  });

  it('says stale once, and current once, whatever the sessions do meanwhile', async () => {
    const { clock, loop, lines, last, live } = world();
    await clock.advance(0);
    await live(10);
    for (let failed = 0; failed < 5; failed++) {
      last().end(new Error('gone again'));
      await clock.advance(2_000);
    }
    expect(lines).toEqual(['s is stale: etcd at http://etcd:2379: gone']);
    last().say(100, 'created');
    await clock.advance(0);
    expect(lines[1]).toBe('s is current again from etcd at http://etcd:2379: 0 endpoints');
    expect((await loop.queue.take())?.kind).toBe('snapshot');
    await loop.stop();
    expect(lines).toHaveLength(2);
  });

  it('hands on what changes, and nothing where nothing of the service has', async () => {
    const { clock, loop, last } = world();
    await clock.advance(0);
    last().say(100, 'created');
    const change = (key: string, value: string | undefined, revision: number) =>
      last().say(revision, 'events', {
        events: [
          {
            ...{ key: Buffer.from(key), revision: BigInt(revision), created: true },
            value: value === undefined ? undefined : Buffer.from(value),
          },
        ],
      });
    expect(await loop.queue.take()).toMatchObject({ kind: 'snapshot', endpoints: [] });
    change('/p/s/a:1', 'a:1', 101);
    expect(await loop.queue.take()).toMatchObject({
      ...{ kind: 'changes', put: [{ address: 'a:1' }], removed: [] },
    });
    change('/p/s/of/another/b:1', 'b:1', 102);
    expect(loop.queue.isEmpty).toBe(true);
    change('/p/s/a:1', undefined, 103);
    expect(await loop.queue.take()).toEqual({ kind: 'changes', put: [], removed: ['/p/s/a:1'] });
    await loop.stop();
  });

  it('closes every connection that it made', async () => {
    const { clock, connections, loop, live } = world();
    await clock.advance(0);
    for (let sessions = 0; sessions < 5; sessions++) await live(10);
    await loop.stop();
    expect(connections.every(({ closed, cancelled }) => closed && cancelled)).toBe(true);
  });
});

describe('a logger that throws', () => {
  it('costs nothing', async () => {
    const clock = new VirtualClock();
    const warnings: string[] = [];
    const hear = (warning: Error) => warnings.push(warning.message);
    process.on('warning', hear);
    const throwing = () => {
      throw new Error('disk full');
    };
    const settings = etcdSettings({
      hosts: 'etcd',
      clock,
      random: longest,
      logger: { info: throwing, warn: throwing },
    });
    const connections: FakeConnection[] = [];
    const loop = new WatchLoop('s', '/p/s/', settings, () => {
      const connection = new FakeConnection();
      connections.push(connection);
      return connection as unknown as EtcdConnection;
    });
    await clock.advance(0);
    connections[0]?.say(100, 'created');
    await clock.advance(0);
    expect((await loop.queue.take())?.kind).toBe('snapshot');
    connections[0]?.end(new Error('gone'));
    await clock.advance(0);
    expect((await loop.queue.take())?.kind).toBe('stale');
    await clock.advance(2_000);
    connections[1]?.say(100, 'created');
    await clock.advance(0);
    expect((await loop.queue.take())?.kind).toBe('snapshot');
    await loop.stop();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', hear);
    expect(warnings).toEqual(['the logger has thrown: disk full']);
  });
});
