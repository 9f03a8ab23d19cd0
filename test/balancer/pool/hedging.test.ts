import { describe, expect, it } from 'vitest';
import { Status } from '../../../src/base/errors.js';
import { greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';

const options = {
  methods: { '/helloworld.Greeter/SayHello': { idempotent: true, retry: false, hedge: { delayMs: 50 } } },
} as const;

describe('a hedged call', () => {
  it('is made once when its answer comes in time, and leaves no timer', async () => {
    const f = await new PoolFixture(options).serving('h:1', 'h:2');
    const call = f.hello('a');
    await f.clock.advance(49);
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
    expect(f.clock.pending).toBe(0);
    await f.clock.advance(1_000);
    expect(f.sent).toEqual(['a@h:1']);
  });

  it.each([0, 1])(
    'is made a second time elsewhere when it is late: the first good answer wins, of attempt %i',
    async (winner) => {
      const f = await new PoolFixture(options).serving('h:1', 'h:2');
      const call = f.hello('a');
      await f.clock.advance(50);
      expect(f.sent).toEqual(['a@h:1', 'a@h:2']);
      f.transport.calls[winner]!.answer(greeting(`hi ${winner}`));
      expect(await call).toBe(`hi ${winner}`);
      expect(f.transport.calls[1 - winner]!.cancelled).toMatchObject({ code: Status.CANCELLED });
      expect(f.rows).toEqual(['h:1 ready 0', 'h:2 ready 0']);
    },
  );

  it.each([0, 1])('waits for the other when attempt %i fails', async (loser) => {
    const f = await new PoolFixture(options).serving('h:1', 'h:2');
    const call = f.hello('a');
    await f.clock.advance(50);
    f.transport.calls[loser]!.end(Status.NOT_FOUND, 'no');
    expect(await outcome(call)).toBe('pending');
    f.transport.calls[1 - loser]!.answer(greeting('hi'));
    expect(await call).toBe('hi');
  });

  it('fails as the first attempt does when both fail', async () => {
    const f = await new PoolFixture(options).serving('h:1', 'h:2');
    const call = f.hello('a');
    await f.clock.advance(50);
    f.transport.calls[1]!.end(Status.ABORTED, 'second');
    f.transport.calls[0]!.end(Status.NOT_FOUND, 'first');
    expect(await outcome(call)).toMatchObject({ code: Status.NOT_FOUND, details: 'first' });
  });

  it('is not made twice on one server, and does not queue for another', async () => {
    const f = await new PoolFixture(options).serving('h:1');
    const call = f.hello('a');
    await f.clock.advance(1_000);
    expect(f.sent).toEqual(['a@h:1']);
    expect(f.pool.snapshot().waiting).toBe(0);
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
  });

  it('is cancelled in both places', async () => {
    const f = await new PoolFixture(options).serving('h:1', 'h:2');
    const stop = new AbortController();
    const call = f.hello('a', { signal: stop.signal });
    await f.clock.advance(50);
    stop.abort();
    expect(await outcome(call)).toMatchObject({ code: Status.CANCELLED });
    expect(f.transport.calls.every(({ cancelled }) => cancelled !== undefined)).toBe(true);
    expect(f.rows).toEqual(['h:1 ready 0', 'h:2 ready 0']);
  });
});
