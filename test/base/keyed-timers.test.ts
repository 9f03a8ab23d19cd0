import { expect, it } from 'vitest';
import { KeyedTimers } from '../../src/base/keyed-timers.js';
import { VirtualClock } from '../../src/testing/index.js';

function timers() {
  const clock = new VirtualClock();
  const fired: string[] = [];
  const keyed = new KeyedTimers<string>(clock, (key) => fired.push(`${key}@${clock.now() - start}`));
  const start = clock.now();
  return { clock, fired, keyed };
}

it('fires each key once, at its time', async () => {
  const { clock, fired, keyed } = timers();
  keyed.set('a', 20);
  keyed.set('b', 10);
  await clock.advance(100);
  expect(fired).toEqual(['b@10', 'a@20']);
});

it('fires only when it was last set to', async () => {
  const { clock, fired, keyed } = timers();
  keyed.set('a', 10);
  keyed.set('a', 30);
  keyed.set('b', 10);
  keyed.set('b', undefined);
  keyed.set('never set', undefined);
  await clock.advance(100);
  expect(fired).toEqual(['a@30']);
  expect(clock.pending).toBe(0);
});

it('can be set again from within', async () => {
  const clock = new VirtualClock();
  let times = 0;
  const keyed = new KeyedTimers<string>(clock, (key) => {
    if (++times < 3) keyed.set(key, 10);
  });
  keyed.set('a', 10);
  await clock.advance(100);
  expect(times).toBe(3);
  expect(clock.pending).toBe(0);
});
