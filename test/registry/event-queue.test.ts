import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/base/endpoint.js';
import { EventQueue, readEvents } from '../../src/registry/event-queue.js';
import type { RegistryEvent } from '../../src/registry/registry.js';
import { applyTo } from '../../src/testing/follower.js';

const endpoint = (id: string, weight = 1): Endpoint => ({ id, address: `${id}:1`, weight, metadata: {} });
const changes = (put: Endpoint[], removed: string[] = []): RegistryEvent => ({
  kind: 'changes',
  put,
  removed,
});
const stale: RegistryEvent = { kind: 'stale', cause: new Error('away') };

const ids = fc.constantFrom('a', 'b', 'c', 'd');
const anyEndpoint = fc.tuple(ids, fc.nat({ max: 9 })).map(([id, weight]) => endpoint(id, weight));
const anyEvent: fc.Arbitrary<RegistryEvent> = fc.oneof(
  fc.uniqueArray(anyEndpoint, { selector: ({ id }) => id }).map((endpoints) => ({
    kind: 'snapshot' as const,
    endpoints,
  })),
  fc
    .uniqueArray(fc.tuple(anyEndpoint, fc.boolean()), { selector: ([{ id }]) => id, minLength: 1 })
    .map((entries) => ({
      kind: 'changes' as const,
      put: entries.filter(([, put]) => put).map(([entry]) => entry),
      removed: entries.filter(([, put]) => !put).map(([{ id }]) => id),
    })),
  fc.constant(stale),
);

describe('EventQueue', () => {
  it('hands a waiting reader every event as it comes', async () => {
    const queue = new EventQueue();
    for (const event of [stale, changes([endpoint('a')]), stale]) {
      const taken = queue.take();
      queue.push(event);
      expect(await taken).toBe(event);
    }
  });

  it('leaves a reader of any pace with the table, and the staleness, of one that misses nothing', () => {
    return fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(anyEvent, { nil: 'take' as const }), { maxLength: 60, size: 'max' }),
        async (steps) => {
          const queue = new EventQueue();
          const exact = { table: new Map<string, Endpoint>(), stale: false };
          const lagging = { table: new Map<string, Endpoint>(), stale: false };
          const apply = (to: typeof exact, event: RegistryEvent) => {
            applyTo(to.table, event);
            to.stale = event.kind === 'stale';
          };
          const take = async () => {
            const event = await queue.take();
            if (event === undefined) throw new Error('ended');
            if (event.kind === 'changes') {
              const named = [...event.put.map(({ id }) => id), ...event.removed];
              expect(new Set(named).size).toBe(named.length);
            }
            apply(lagging, event);
          };
          for (const step of steps) {
            if (step === 'take') {
              if (!queue.isEmpty) await take();
            } else {
              apply(exact, step);
              queue.push(step);
            }
          }
          while (!queue.isEmpty) await take();
          expect(lagging.stale).toBe(exact.stale);
          expect(new Map([...lagging.table].sort())).toEqual(new Map([...exact.table].sort()));
        },
      ),
    );
  });

  it('folds what a reader has not taken into three events at most', async () => {
    const queue = new EventQueue();
    for (let round = 0; round < 1_000; round++) {
      queue.push({ kind: 'snapshot', endpoints: [endpoint('a', round)] });
      queue.push(changes([endpoint('b', round)], ['c']));
      queue.push(changes([endpoint('c', round)], ['b']));
      queue.push(stale);
    }
    expect(await queue.take()).toEqual({ kind: 'snapshot', endpoints: [endpoint('a', 999)] });
    expect(await queue.take()).toEqual(changes([endpoint('c', 999)], ['b']));
    expect(await queue.take()).toEqual(stale);
    expect(queue.isEmpty).toBe(true);
  });

  it('ends for a waiting reader and for a later one, whatever was not taken', async () => {
    const queue = new EventQueue();
    const waiting = queue.take();
    queue.end();
    expect(await waiting).toBeUndefined();
    queue.push(stale);
    expect(await queue.take()).toBeUndefined();
  });
});

describe('readEvents', () => {
  it('leaves once, when the signal aborts, and takes its listener from it', async () => {
    const stop = new AbortController();
    let left = 0;
    const reading = (async () => {
      for await (const _ of readEvents(new EventQueue(), stop.signal, () => void left++));
    })();
    stop.abort();
    await reading;
    expect(left).toBe(1);
  });

  it('leaves when its reader does', async () => {
    const queue = new EventQueue();
    queue.push(stale);
    let left = 0;
    for await (const event of readEvents(queue, new AbortController().signal, () => void left++)) {
      expect(event).toEqual(stale);
      break;
    }
    expect(left).toBe(1);
    expect(await queue.take()).toBeUndefined();
  });
});
