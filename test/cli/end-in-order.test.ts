import { expect, it } from 'vitest';
import { endInOrder } from '../../src/cli/end-in-order.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';

it('a gateway says that it closes, serves on for the lame-duck time, and closes its pools last', async () => {
  const clock = new VirtualClock();
  const closing = new AbortController();
  const done: string[] = [];
  let finish = () => {};
  const app = {
    close: () => {
      done.push('app');
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    },
  };
  const pools = ['one', 'two'].map((name) => ({ close: async () => done.push(name) }));
  const ended = endInOrder({ closing, app, pools }, 500, clock);
  expect(closing.signal.aborted).toBe(true);
  await clock.advance(499);
  expect(done).toEqual([]);
  await clock.advance(1);
  expect(done).toEqual(['app']);
  finish();
  await ended;
  expect(done).toEqual(['app', 'one', 'two']);
});

it('one that does not listen yet closes its pools at once', async () => {
  const clock = new VirtualClock();
  let closed = 0;
  const pools = [{ close: async () => closed++ }];
  await endInOrder({ closing: new AbortController(), app: undefined, pools }, 500, clock);
  expect([closed, clock.pending]).toEqual([1, 0]);
});
