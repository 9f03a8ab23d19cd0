import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Broadcast } from '../../src/base/broadcast.js';

const broadcast = (bound = 100) => new Broadcast<string>(bound, (missed) => `missed ${missed}`);

async function all(events: AsyncIterable<string>): Promise<string[]> {
  const heard: string[] = [];
  for await (const event of events) heard.push(event);
  return heard;
}

describe('a broadcast', () => {
  it('tells every reader everything from when it subscribed, read or not', async () => {
    const b = broadcast();
    const early = b.subscribe();
    b.publish('1');
    const late = b.subscribe();
    b.publish('2');
    b.close();
    expect(await all(early)).toEqual(['1', '2']);
    expect(await all(late)).toEqual(['2']);
  });

  it('gives what comes to those who wait for it, in order', async () => {
    const b = broadcast();
    const reader = b.subscribe();
    const [first, second, third] = [reader.next(), reader.next(), reader.next()];
    b.publish('1');
    b.publish('2');
    b.close();
    expect(await first).toEqual({ done: false, value: '1' });
    expect(await second).toEqual({ done: false, value: '2' });
    expect((await third).done).toBe(true);
    expect((await reader.next()).done).toBe(true);
  });

  it('says how many a slow reader has missed, then goes on with what is left', async () => {
    const b = broadcast(3);
    const slow = b.subscribe();
    const quick = b.subscribe();
    const heard: string[] = [];
    for (let i = 1; i <= 8; i++) {
      b.publish(String(i));
      heard.push((await quick.next()).value!);
    }
    b.close();
    expect(heard).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
    expect(await all(slow)).toEqual(['missed 6', '7', '8']);
  });

  it('misses none of as many as it keeps', async () => {
    const b = broadcast(3);
    const reader = b.subscribe();
    for (const event of ['1', '2', '3']) b.publish(event);
    b.close();
    expect(await all(reader)).toEqual(['1', '2', '3']);
  });

  it('is active only while somebody reads', async () => {
    const b = broadcast();
    expect(b.active).toBe(false);
    const left = b.subscribe();
    const stop = new AbortController();
    b.subscribe(stop.signal);
    expect(b.active).toBe(true);
    b.publish('1');
    for await (const _ of left) break;
    expect(b.active).toBe(true);
    stop.abort();
    expect(b.active).toBe(false);
  });

  it('ends a reader that is aborted at once, and tells it no more', async () => {
    const b = broadcast();
    const stop = new AbortController();
    const reader = b.subscribe(stop.signal);
    const waiting = b.subscribe(stop.signal).next();
    b.publish('1');
    b.publish('2');
    stop.abort();
    expect(await waiting).toEqual({ done: false, value: '1' });
    expect(await all(reader)).toEqual([]);
    expect(await all(b.subscribe(stop.signal))).toEqual([]);
    expect(b.active).toBe(false);
  });

  it('leaves nothing on the signal of a reader that has left, or been aborted', async () => {
    const b = broadcast();
    const stop = new AbortController();
    const reader = b.subscribe(stop.signal);
    b.subscribe(stop.signal);
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(2);
    expect(await reader.return!()).toEqual({ done: true, value: undefined });
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
    stop.abort();
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  });

  it('ends who subscribes after the close', async () => {
    const b = broadcast();
    b.close();
    b.publish('1');
    expect(await all(b.subscribe())).toEqual([]);
    expect(b.active).toBe(false);
  });

  it('lets a reader leave, and others join, while it tells', async () => {
    const b = broadcast();
    const stop = new AbortController();
    const stopping = b.subscribe();
    const stopped = b.subscribe(stop.signal);
    void stopping.next().then(() => stop.abort());
    b.publish('1');
    await Promise.resolve();
    await Promise.resolve();
    b.publish('2');
    expect(await all(stopped)).toEqual([]);
  });
});
