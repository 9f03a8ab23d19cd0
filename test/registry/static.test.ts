import { describe, expect, it } from 'vitest';
import { staticRegistry } from '../../src/registry/static.js';
import { Follower } from '../../src/testing/follower.js';
import { describeRegistry } from '../../src/testing/index.js';

const turn = () => new Promise<void>((resolve) => queueMicrotask(resolve));

async function until(what: string, check: () => boolean): Promise<void> {
  for (let turns = 0; !check(); turns++) {
    if (turns > 1_000) throw new Error(`waited in vain for: ${what}`);
    await turn();
  }
}

describeRegistry('static', () => ({ registry: staticRegistry(['localhost:1']), until }), { describe, it });

describe('staticRegistry', () => {
  it('has its endpoints under every service', async () => {
    const registry = staticRegistry([
      'localhost:1',
      '[::1]:2',
      'unix:/run/s.sock',
      { address: 'a:3', weight: 2, metadata: { zone: 'x' } },
    ]);
    const follower = new Follower(registry, 'any');
    await until('a snapshot', () => follower.events.length === 1);
    expect(follower.events).toEqual([
      {
        kind: 'snapshot',
        endpoints: [
          { id: 'localhost:1', address: 'localhost:1', weight: 1, metadata: {} },
          { id: '[::1]:2', address: '[::1]:2', weight: 1, metadata: {} },
          { id: 'unix:/run/s.sock', address: 'unix:/run/s.sock', weight: 1, metadata: {} },
          { id: 'a:3', address: 'a:3', weight: 2, metadata: { zone: 'x' } },
        ],
      },
    ]);
    await follower.stop();
  });

  it('ends for a signal that aborts while the snapshot is read', async () => {
    const stop = new AbortController();
    const kinds: string[] = [];
    for await (const { kind } of staticRegistry(['localhost:1']).watch('any', stop.signal)) {
      kinds.push(kind);
      stop.abort();
    }
    expect(kinds).toEqual(['snapshot']);
  });

  it('refuses what cannot be an endpoint, and what is there twice', () => {
    expect(() => staticRegistry(['localhost'])).toThrow(/"localhost" is not host:port/);
    expect(() => staticRegistry([{ address: 'a:1', weight: Number.NaN }])).toThrow(/weight NaN/);
    expect(() => staticRegistry(['a:1', { address: 'a:1' }])).toThrow(/a:1 is in the list twice/);
  });
});
