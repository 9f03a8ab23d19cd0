// A session on a virtual clock, over a connection that the test answers for.
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ApiConnection } from '../../../src/registry/kubernetes/connection.js';
import { runSession } from '../../../src/registry/kubernetes/session.js';
import { settle, VirtualClock } from '../../../src/testing/index.js';

/** A body that the test writes. */
class Body implements AsyncIterable<Uint8Array> {
  #chunks: (Uint8Array | Error | undefined)[] = [];
  #wake = () => {};

  write(...events: readonly object[]): void {
    for (const event of events) this.#push(Buffer.from(`${JSON.stringify(event)}\n`));
  }

  end(): void {
    this.#push(undefined);
  }

  fail(error: Error): void {
    this.#push(error);
  }

  #push(chunk: Uint8Array | Error | undefined): void {
    this.#chunks.push(chunk);
    this.#wake();
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      while (this.#chunks.length === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      const chunk = this.#chunks.shift();
      if (chunk instanceof Error) throw chunk;
      if (chunk === undefined) return;
      yield chunk;
    }
  }
}

const bookmark = (revision: string) => ({
  type: 'BOOKMARK',
  object: { metadata: { resourceVersion: revision } },
});
const added = (name: string, revision: string) => ({
  type: 'ADDED',
  object: { metadata: { name, resourceVersion: revision } },
});

function stage({ pings = true, goesAwayWithWatch = false } = {}) {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const asked: URLSearchParams[] = [];
  const watches: Body[] = [];
  const told: string[] = [];
  let dialled = 0;
  let closed = 0;
  let usable = true;
  let refuses: Error | undefined;
  const connection = (): ApiConnection => ({
    async get(path) {
      const query = new URLSearchParams(path.split('?')[1]);
      asked.push(query);
      const body = new Body();
      if (query.has('watch')) {
        watches.push(body);
        if (goesAwayWithWatch) usable = false;
      } else {
        body.write({ metadata: { resourceVersion: '10' }, items: [] });
        body.end();
      }
      return { status: 200, body };
    },
    ping: pings ? () => Promise.resolve() : undefined,
    get usable() {
      return usable;
    },
    unref() {},
    close() {
      closed++;
    },
  });
  let ended: string | undefined;
  const session = runSession({
    dial: async () => {
      dialled++;
      if (refuses !== undefined) throw refuses;
      usable = true;
      return connection();
    },
    namespace: 'default',
    service: 'greeter',
    requestTimeoutMs: 10_000,
    clock,
    random: () => 0,
    signal: stop.signal,
    onSnapshot: () => told.push('snapshot'),
    onChange: ({ deleted, slice }) =>
      told.push(`${deleted ? '-' : '+'}${(slice as { metadata: { name: string } }).metadata.name}`),
  });
  session.catch((error: Error) => {
    ended = error.message;
  });
  onTestFinished(async () => {
    stop.abort();
    await settle();
    expect(ended, 'it ends with its signal').toBeDefined();
    expect(clock.pending, 'timers that are left').toBe(0);
    expect(closed, 'connections that are left').toBe(refuses === undefined ? dialled : dialled - 1);
  });
  return {
    clock,
    asked,
    watches,
    told,
    ended: () => ended,
    dialled: () => dialled,
    goAway: (error?: Error) => {
      usable = false;
      refuses = error;
    },
    watched: () => asked.filter((query) => query.has('watch')).map((query) => query.get('resourceVersion')),
  };
}

describe('a session', () => {
  it('goes on from its last revision when a watch ends in good order', async () => {
    const s = stage();
    await settle();
    expect(s.told).toEqual(['snapshot']);
    await s.clock.advance(60_000);
    s.watches[0]!.write(added('a', '11'), bookmark('20'));
    await s.clock.advance(60_000);
    s.watches[0]!.end();
    await settle();
    expect(s.watched()).toEqual(['10', '20']);
    expect(s.told).toEqual(['snapshot', '+a']);
    expect(s.dialled()).toBe(1);
    expect(s.asked[1]!.get('timeoutSeconds')).toBe('120');
  });

  it('takes another connection when its own is to be closed', async () => {
    const s = stage();
    await s.clock.advance(1_000);
    s.goAway();
    s.watches[0]!.end();
    await settle();
    expect(s.dialled()).toBe(2);
    expect(s.watched()).toEqual(['10', '10']);
    expect(s.ended()).toBeUndefined();
  });

  it('reads a watch to its end on a connection that goes away with it', async () => {
    const s = stage({ goesAwayWithWatch: true });
    await settle();
    expect(s.told).toEqual(['snapshot']);
    await s.clock.advance(60_000);
    s.watches[0]!.write(added('a', '11'));
    await settle();
    expect(s.told).toEqual(['snapshot', '+a']);
    expect(s.dialled()).toBe(1);
    s.watches[0]!.end();
    await settle();
    expect(s.dialled()).toBe(2);
    expect(s.watched()).toEqual(['10', '11']);
  });

  it('ends when there is no other', async () => {
    const s = stage();
    await s.clock.advance(1_000);
    s.goAway(new Error('connect ECONNREFUSED'));
    s.watches[0]!.end();
    await settle();
    expect(s.ended()).toMatch(/ECONNREFUSED/);
  });

  it('ends when a watch is cut, however old it is', async () => {
    const s = stage();
    await s.clock.advance(60_000);
    s.watches[0]!.fail(new Error('the answer was cut off'));
    await settle();
    expect(s.ended()).toBe('the answer was cut off');
  });

  it('ends when a watch outlives its time: the server has forgotten it', async () => {
    const s = stage();
    await s.clock.advance(121_999);
    expect(s.ended()).toBeUndefined();
    await s.clock.advance(1);
    expect(s.ended()).toMatch(/waited 122000 ms for the end of a watch/);
  });

  it('does not spin on watches that end as they begin', async () => {
    const s = stage();
    await settle();
    s.watches[0]!.end();
    await settle();
    expect(s.ended()).toMatch(/ended as soon as it began/);
  });

  it('asks anew every 3 s where the server cannot be asked whether it is there', async () => {
    const s = stage({ pings: false });
    await settle();
    expect(s.asked[1]!.get('timeoutSeconds')).toBe('3');
    await s.clock.advance(3_000);
    s.watches[0]!.write(bookmark('12'));
    s.watches[0]!.end();
    await settle();
    expect(s.watched()).toEqual(['10', '12']);
    await s.clock.advance(5_000);
    expect(s.ended()).toMatch(/waited 5000 ms/);
  });
});
