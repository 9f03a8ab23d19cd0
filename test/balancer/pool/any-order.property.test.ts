import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PoolPick } from '../../../src/balancer/calls/hand-pick.js';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { type FixtureOptions, greeting, nameOf, PoolFixture } from '../../support/pool-fixture.js';

const ADDRESSES = ['h:1', 'h:2', 'h:3'];
const address = fc.constantFrom(...ADDRESSES);
const which = fc.nat(1_000);

const step = fc.oneof(
  fc.record({ do: fc.constant('put' as const), address }),
  fc.record({ do: fc.constant('remove' as const), address }),
  fc.record({ do: fc.constantFrom('stale' as const, 'watch ends' as const, 'swap' as const) }),
  { weight: 5, arbitrary: fc.record({ do: fc.constant('ready' as const), which }) },
  fc.record({ do: fc.constantFrom('lost' as const, 'failed' as const), which }),
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('call' as const), timeoutMs: fc.option(fc.nat(3_000)) }),
  },
  fc.record({ do: fc.constant('pick' as const) }),
  fc.record({ do: fc.constantFrom('abort' as const, 'finish a pick' as const), which }),
  { weight: 5, arbitrary: fc.record({ do: fc.constant('answer' as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('refuse' as const, 'drop' as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 10, 500, 2_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constant(31_000) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const at = <T>(all: readonly T[], which: number): T | undefined => all[which % all.length];

class Run {
  readonly f: PoolFixture;
  /** How often each call has ended. */
  readonly ends: number[] = [];
  readonly stops: AbortController[] = [];
  readonly picks: PoolPick[] = [];
  wantedPicks = 0;
  endedPicks = 0;
  swaps = 0;

  constructor(options: FixtureOptions) {
    this.f = new PoolFixture({ timeoutMs: 60_000, ...options });
  }

  async take(step: Step): Promise<void> {
    const { f } = this;
    const { transport } = f;
    switch (step.do) {
      case 'put':
        await f.put(step.address);
        break;
      case 'remove':
        await f.remove(step.address);
        break;
      case 'stale':
        await f.stale('away');
        break;
      case 'watch ends':
        f.registry.current.end();
        // Until there is another, nothing can be told.
        await f.clock.advance(1_500);
        break;
      case 'swap':
        f.pool.setPicker((['random', 'least-pending', 'round-robin'] as const)[this.swaps++ % 3]!);
        break;
      case 'ready':
      case 'lost':
      case 'failed':
        // What is READY can be lost, and what is not can become so or fail.
        at(
          transport.connections.filter(
            ({ retired, isReady }) => !retired && isReady === (step.do === 'lost'),
          ),
          step.which,
        )?.[step.do]();
        break;
      case 'call':
        this.#call(step.timeoutMs ?? undefined);
        break;
      case 'pick':
        this.wantedPicks++;
        f.pool.pick().then(
          (pick) => this.picks.push(pick),
          () => this.endedPicks++,
        );
        break;
      case 'abort':
        at(this.stops, step.which)?.abort();
        break;
      case 'finish a pick': {
        const [pick] = this.picks.splice(step.which % (this.picks.length || 1), 1);
        if (pick !== undefined) this.endedPicks++;
        pick?.finish();
        break;
      }
      case 'answer': {
        const wire = at(transport.open, step.which);
        wire?.answer(greeting(nameOf(wire)));
        break;
      }
      case 'refuse':
        at(transport.open, step.which)?.refuse();
        break;
      case 'drop':
        at(transport.open, step.which)?.end(Status.UNAVAILABLE, 'Connection dropped');
        break;
      case 'wait':
        await f.clock.advance(step.ms);
        // Wires have deadlines of their own, which grpc-js keeps.
        for (const wire of transport.open) {
          if (Number(wire.deadline) <= f.clock.epochNow()) wire.end(Status.DEADLINE_EXCEEDED, 'late');
        }
        break;
    }
    await settle();
    this.check();
  }

  #call(timeoutMs: number | undefined): void {
    const n = this.ends.push(0) - 1;
    const stop = new AbortController();
    this.stops.push(stop);
    const ended = (message: unknown) => {
      this.ends[n]!++;
      if (typeof message === 'string') expect(message).toBe(String(n));
    };
    const options = { signal: stop.signal, ...(timeoutMs !== undefined && { timeoutMs }) };
    this.f.hello(String(n), options).then(ended, ended);
  }

  check(): void {
    const { pool, transport } = this.f;
    const snapshot = pool.snapshot();
    assert.equal(
      snapshot.pending,
      snapshot.subchannels.reduce((sum, { pending }) => sum + pending, 0),
    );
    assert.ok(Math.max(...this.ends, 0) <= 1, 'no call ends twice');
    // What waits has no room: nobody stands in the queue while there is any.
    if (snapshot.waiting > 0) assert.equal(pool.tryPick(), undefined);
    // Calls go out for the first time in the order in which they came.
    const first = [...new Set(transport.calls.map((wire) => Number(nameOf(wire))))];
    assert.ok(
      first.every((n, i) => i === 0 || n > first[i - 1]!),
      `first come, first sent: ${first}`,
    );
  }

  async end(): Promise<void> {
    const { f } = this;
    let closed = false;
    void f.pool.close().then(() => {
      closed = true;
    });
    await settle();
    await f.clock.advance(30_000);
    expect(closed).toBe(true);
    expect(this.ends.every((times) => times === 1)).toBe(true);
    for (const pick of this.picks) pick.finish();
    expect(this.endedPicks + this.picks.length).toBe(this.wantedPicks);
    await f.end();
    expect(f.transport.open).toEqual([]);
  }
}

/** What a pool may be beside; none of it may break what holds for all. */
const KINDS: Readonly<Record<string, FixtureOptions>> = {
  'as it comes': {},
  'with a guard and outlier detection': {
    massRemovalGuard: { minimum: 1, windowMs: 1_000, graceMs: 2_000 },
    outlierDetection: {},
  },
  'with retries': { retry: { codes: ['UNAVAILABLE', 'DEADLINE_EXCEEDED'], perAttemptTimeoutMs: 1_000 } },
  'with hedges': { methods: { '/helloworld.Greeter/*': { idempotent: true, hedge: { delayMs: 400 } } } },
  'with a subset, and connections in pairs': { subset: { size: 2 }, connectionsPerAddress: 2 },
};

describe('whatever happens in whatever order', () => {
  it.each(Object.keys(KINDS))('a pool %s ends every call once, and leaves nothing behind', async (kind) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 80, size: 'max' }),
        fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
        fc.constantFrom(2, 100),
        async (steps, maxPendingPerEndpoint, max) => {
          const run = new Run({ maxPendingPerEndpoint, queue: { max }, ...KINDS[kind] });
          await run.f.snapshot('h:1', 'h:2');
          for (const step of steps) await run.take(step);
          await run.end();
        },
      ),
      { numRuns: 40 },
    );
  });
});
