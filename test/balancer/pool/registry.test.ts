import { describe, expect, it } from 'vitest';
import type { Registry, RegistryEvent } from '../../../src/registry/registry.js';
import { settle } from '../../../src/testing/index.js';
import { endpoint } from '../../support/endpoints.js';
import { greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';
import { ScriptedRegistry } from '../../support/scripted-registry.js';

const CHANGES = (put: string[], removed: string[]): RegistryEvent => ({
  kind: 'changes',
  put: put.map((address) => endpoint(`id-${address}`, address)),
  removed: removed.map((address) => `id-${address}`),
});

describe('a pool follows its registry', () => {
  it('watches its service, from the start', async () => {
    const f = new PoolFixture();
    expect(f.registry.watches.map(({ service }) => service)).toEqual(['greeter']);
    expect(f.pool.snapshot().registry).toEqual({ kind: 'waiting', since: 0 });
  });

  it('connects what is announced, and lets go of what is not', async () => {
    const f = await new PoolFixture().snapshot('h:1', 'h:2');
    expect(f.rows).toEqual(['h:1 connecting 0', 'h:2 connecting 0']);
    expect(f.transport.connections.map(({ connects }) => connects)).toEqual([1, 1]);
    f.transport.to('h:1').ready();
    await f.put('h:3');
    await f.remove('h:2');
    expect(f.rows).toEqual(['h:1 ready 0', 'h:3 connecting 0']);
    expect(f.transport.to('h:2').closed).toBe(true);
    await f.snapshot('h:3');
    expect(f.rows).toEqual(['h:3 connecting 0']);
    expect(f.transport.to('h:1').closed).toBe(true);
  });

  it('takes in every event of a burst, in order', async () => {
    const f = new PoolFixture();
    f.registry.current
      .tell({ kind: 'snapshot', endpoints: [] })
      .tell(CHANGES(['h:1', 'h:2'], []))
      .tell(CHANGES([], ['h:1']))
      .tell(CHANGES(['h:1'], []))
      .tell(CHANGES([], ['h:2']));
    await settle();
    expect(f.rows).toEqual(['h:1 connecting 0']);
  });

  it('ignores what a connection of a removed endpoint still tells', async () => {
    const f = await new PoolFixture().snapshot('h:1');
    const old = f.transport.to('h:1');
    await f.remove('h:1');
    await f.put('h:1');
    old.ready();
    expect(f.rows).toEqual(['h:1 connecting 0']);
    f.transport.to('h:1').ready();
    old.lost();
    old.failed();
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('ignores what an earlier connection of the same endpoint still tells', async () => {
    const f = await new PoolFixture().snapshot('h:1');
    const first = f.transport.to('h:1').failed();
    await f.clock.advance(300);
    expect(f.transport.to('h:1')).not.toBe(first);
    first.ready();
    expect(f.rows).toEqual(['h:1 connecting 0']);
    f.transport.to('h:1').ready();
    first.lost();
    expect(f.rows).toEqual(['h:1 ready 0']);
  });
});

describe('stale', () => {
  it('says so, goes on serving, and is current again with the next news', async () => {
    const f = await new PoolFixture().serving('h:1');
    const events = f.events();
    await f.stale('etcd is down');
    expect(f.pool.snapshot().registry).toMatchObject({
      kind: 'stale',
      since: 1_000,
      cause: { message: 'etcd is down' },
    });
    expect(f.warnings).toEqual(['greeter: the registry is stale, serving the table as it was: etcd is down']);
    const call = f.hello('a');
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
    await f.clock.advance(500);
    await f.stale('still down');
    expect(f.pool.snapshot().registry).toMatchObject({ since: 1_000, cause: { message: 'still down' } });
    expect(f.warnings.length).toBe(1);
    await f.snapshot('h:1');
    expect(f.pool.snapshot().registry).toEqual({ kind: 'current', since: 1_500 });
    expect(f.infos).toEqual(['greeter: the registry is current again']);
    expect(f.rows).toEqual(['h:1 ready 0']);
    expect(events.filter(({ kind }) => kind === 'registry')).toMatchObject([
      { state: { kind: 'stale' } },
      { state: { kind: 'current' } },
    ]);
  });

  it('waits on before the first snapshot, says why, and warns once', async () => {
    const f = new PoolFixture();
    await f.stale('refused');
    await f.stale('refused again');
    expect(f.pool.snapshot().registry).toMatchObject({
      kind: 'waiting',
      since: 0,
      cause: { message: 'refused again' },
    });
    expect(f.warnings).toEqual(['greeter: the registry has not answered yet: refused']);
    await f.snapshot();
    expect(f.pool.snapshot().registry.kind).toBe('current');
  });

  it('finds a dead server by its connection', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    await f.stale('etcd is down');
    f.transport.to('h:1').lost().failed();
    expect(f.rows).toEqual(['h:1 failed 0', 'h:2 ready 0']);
    void f.hello('a');
    void f.hello('b');
    expect(f.sent).toEqual(['a@h:2', 'b@h:2']);
    for (const call of f.transport.open) call.answer(greeting(''));
  });
});

describe('a watch that does what it must not', () => {
  it.each(['ends', 'fails', 'cannot be started'])(
    'is told as stale and begun anew when it %s',
    async (how) => {
      const f = await new PoolFixture().serving('h:1');
      const first = f.registry.current;
      if (how === 'cannot be started') f.registry.refuses = new Error('boom');
      if (how === 'fails') first.fail(new Error('boom'));
      else first.end();
      await settle();
      const cause = how === 'fails' ? 'boom' : 'the registry ended its watch of greeter';
      expect(f.pool.snapshot().registry).toMatchObject({ kind: 'stale', cause: { message: cause } });
      await f.clock.advance(1_500);
      if (how === 'cannot be started') {
        expect(f.pool.snapshot().registry).toMatchObject({ cause: { message: 'boom' } });
        f.registry.refuses = undefined;
        await f.clock.advance(1_500);
      }
      expect(f.registry.watches.length).toBe(2);
      expect(f.rows).toEqual(['h:1 ready 0']);
      await f.snapshot('h:2');
      expect(f.pool.snapshot().registry.kind).toBe('current');
      expect(f.rows).toEqual(['h:2 connecting 0']);
    },
  );

  it('may be any async generator', async () => {
    let returned = 0;
    const generator: Registry = {
      async *watch(_, signal) {
        try {
          yield { kind: 'snapshot', endpoints: [endpoint('a', 'h:1')] };
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        } finally {
          returned++;
        }
      },
    };
    const f = new PoolFixture({ registry: Object.assign(generator, { watches: [] }) as never });
    await settle();
    expect(f.rows).toEqual(['h:1 connecting 0']);
    await f.pool.close();
    expect(returned).toBe(1);
  });

  it('does not keep the pool open when it is deaf to its signal', async () => {
    const f = await new PoolFixture({ registry: new ScriptedRegistry(true) }).serving('h:1');
    const watch = f.registry.current;
    expect(await outcome(f.pool.close())).toBeUndefined();
    expect(watch.returned).toBe(true);
    watch.tell(CHANGES(['h:9'], []));
    await settle();
    expect(f.rows).toEqual([]);
  });

  it('does not keep the pool open while it is begun anew', async () => {
    const f = new PoolFixture();
    f.registry.current.fail(new Error('boom'));
    await settle();
    expect(await outcome(f.pool.close())).toBeUndefined();
  });

  it('is let go of when the pool cannot take in what it tells', async () => {
    const f = await new PoolFixture().serving('h:1');
    const watch = f.registry.current;
    watch.tell({ kind: 'snapshot', endpoints: 7 as never });
    await settle();
    expect(watch.returned).toBe(true);
    expect(f.pool.snapshot().registry.kind).toBe('stale');
    await f.clock.advance(1_500);
    expect(f.registry.watches.length).toBe(2);
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('is begun anew soon after it went well for long, whatever came before', async () => {
    const f = new PoolFixture();
    for (let i = 0; i < 10; i++) {
      f.registry.current.fail(new Error('boom'));
      await f.clock.advance(1_500);
    }
    const watched = f.registry.watches.length;
    await f.snapshot('h:1');
    await f.clock.advance(60_000);
    f.registry.current.fail(new Error('boom'));
    await f.clock.advance(100);
    expect(f.registry.watches.length).toBe(watched + 1);
  });
});
