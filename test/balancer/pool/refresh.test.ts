import { describe, expect, it } from 'vitest';
import { settle } from '../../../src/testing/index.js';
import { PoolFixture } from '../../support/pool-fixture.js';

describe('a pool asks its registry to look again', () => {
  it('when a connection cannot be made, each time', async () => {
    const f = await new PoolFixture().snapshot('h:1', 'h:2');
    expect(f.registry.refreshed).toEqual([]);
    f.transport.to('h:1').failed();
    expect(f.registry.refreshed).toEqual(['greeter']);
    await f.clock.advance(1_000);
    f.transport.to('h:1').failed();
    expect(f.registry.refreshed).toEqual(['greeter', 'greeter']);
  });

  it('when a connection is lost, whether it held for long or not', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    f.transport.to('h:1').lost();
    expect(f.registry.refreshed).toEqual(['greeter']);
    f.transport.to('h:1').ready().lost();
    expect(f.registry.refreshed).toEqual(['greeter', 'greeter']);
  });

  it('and not when an endpoint is removed, nor at the end', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const [one, two] = [f.transport.to('h:1'), f.transport.to('h:2')];
    await f.remove('h:1');
    one.lost();
    await f.end();
    two.lost();
    expect(f.registry.refreshed).toEqual([]);
  });

  it('whatever its hook does', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    f.registry.refreshes = () => {
      throw new Error('out of order');
    };
    f.transport.to('h:1').lost();
    f.registry.refreshes = () => Promise.reject(new Error('later'));
    f.transport.to('h:2').lost();
    await settle();
    expect(f.warnings.filter((line) => line.includes('refresh'))).toEqual([
      'greeter: refresh of the registry failed: out of order',
    ]);
    expect(f.rows).toEqual(['h:1 connecting 0', 'h:2 connecting 0']);
  });
});
