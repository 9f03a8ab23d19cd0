import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';
import { greeting, outcome, PoolFixture } from '../../support/pool-fixture.js';

const PATH = '/helloworld.Greeter/SayHello';

/** What is published until the end of the test. */
function heard(...names: string[]): { readonly name: string; readonly message: unknown }[] {
  const all: { name: string; message: unknown }[] = [];
  for (const name of names) {
    const listen = (message: unknown) => void all.push({ name, message });
    subscribe(name, listen);
    onTestFinished(() => void unsubscribe(name, listen));
  }
  return all;
}

/** Attempts in a line each: `start 1 h:1`, `end 1 h:1: 14 after 5 ms, retry`. */
function attempts(): string[] {
  const lines: string[] = [];
  const listen = (kind: string) => (message: unknown) => {
    const { service, path, address, attempt, hedge, ...end } = message as Record<string, unknown>;
    expect({ service, path }).toEqual({ service: 'greeter', path: PATH });
    // biome-ignore lint/complexity/useLiteralKeys: what is left has no names of its own.
    const how = 'code' in end ? `: ${end['code']} after ${end['durationMs']} ms, ${end['then']}` : '';
    lines.push(`${kind} ${attempt} ${address}${hedge === true ? ' hedge' : ''}${how}`);
  };
  for (const kind of ['start', 'end']) {
    const of = listen(kind);
    subscribe(`evenkeel:attempt:${kind}`, of);
    onTestFinished(() => void unsubscribe(`evenkeel:attempt:${kind}`, of));
  }
  return lines;
}

describe('evenkeel:attempt', () => {
  it('tells of a call that succeeds, with its time from pick to end', async () => {
    const f = await new PoolFixture().serving('h:1');
    const lines = attempts();
    const call = f.hello('a');
    expect(lines).toEqual(['start 1 h:1']);
    await f.clock.advance(7);
    f.transport.call.answer(greeting('hi'));
    await call;
    expect(lines).toEqual(['start 1 h:1', 'end 1 h:1: 0 after 7 ms, end']);
  });

  it('tells of picks anew and retries, and what follows each', async () => {
    const f = await new PoolFixture({ retry: {}, random: () => 0 }).serving('h:1', 'h:2', 'h:3');
    const lines = attempts();
    const call = f.hello('a');
    f.transport.call.refuse();
    f.transport.call.end(Status.UNAVAILABLE, 'no');
    await f.clock.advance(0);
    f.transport.call.end(Status.NOT_FOUND, 'no');
    expect(await outcome(call)).toMatchObject({ code: Status.NOT_FOUND });
    expect(lines).toEqual([
      'start 1 h:1',
      'end 1 h:1: 14 after 0 ms, repick',
      'start 2 h:2',
      'end 2 h:2: 14 after 0 ms, retry',
      'start 3 h:3',
      'end 3 h:3: 5 after 0 ms, end',
    ]);
  });

  it('tells of a hedge, and of the cancelled loser', async () => {
    const methods = { [PATH]: { idempotent: true, hedge: { delayMs: 50 } } };
    const f = await new PoolFixture({ methods }).serving('h:1', 'h:2');
    const lines = attempts();
    const call = f.hello('a');
    await f.clock.advance(50);
    f.transport.call.answer(greeting('hi'));
    expect(await call).toBe('hi');
    await settle();
    expect(lines).toEqual([
      'start 1 h:1',
      'start 1 h:2 hedge',
      'end 1 h:2 hedge: 0 after 0 ms, end',
      'end 1 h:1: 1 after 50 ms, end',
    ]);
  });

  it('tells nothing of a call that only waited', async () => {
    const f = new PoolFixture();
    const lines = attempts();
    const call = f.hello('a', { timeoutMs: 5 });
    call.catch(() => {});
    await f.clock.advance(5);
    expect(await outcome(call)).toMatchObject({ code: Status.DEADLINE_EXCEEDED });
    expect(lines).toEqual([]);
  });

  it('tells an end for each start, also of calls that are cancelled before they have a wire', async () => {
    const f = await new PoolFixture().serving('h:1');
    const lines = attempts();
    for (const refuses of [undefined, new Error('Channel has been shut down')]) {
      f.transport.to('h:1').refuses = refuses;
      const stop = new AbortController();
      const call = f.hello('a', { signal: stop.signal });
      stop.abort();
      expect(await outcome(call)).toMatchObject({ code: Status.CANCELLED });
    }
    expect(lines).toEqual([
      'start 1 h:1',
      'end 1 h:1: 1 after 0 ms, end',
      'start 1 h:1',
      'end 1 h:1: 1 after 0 ms, end',
    ]);
  });
});

describe('evenkeel:pool', () => {
  it("tells the events of every pool, by its service, though nobody reads the pool's own", async () => {
    const all = heard('evenkeel:pool');
    const f = await new PoolFixture({ outlierDetection: { consecutiveFailures: 1 } }).serving('h:1', 'h:2');
    void f.hello('a');
    f.transport.call.end(Status.INTERNAL, 'no');
    await f.remove('h:2');
    await f.pool.close();
    const kinds = all.map(({ message }) => {
      const { service, event } = message as { service: string; event: { kind: string; at: number } };
      expect(service).toBe('greeter');
      return event.kind;
    });
    expect(kinds.filter((kind) => kind !== 'subchannel')).toEqual([
      'endpoint-put',
      'endpoint-put',
      'registry',
      'ejected',
      'endpoint-removed',
      'endpoint-removed',
      'closed',
    ]);
    expect(
      all.find(({ message }) => (message as { event: { kind: string } }).event.kind === 'ejected')?.message,
    ).toEqual({
      service: 'greeter',
      event: { kind: 'ejected', at: 1_000, address: 'h:1', reason: 'consecutive-failures', forMs: 30_000 },
    });
  });
});
