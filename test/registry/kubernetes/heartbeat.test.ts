import { describe, expect, it } from 'vitest';
import { Heartbeat } from '../../../src/registry/kubernetes/heartbeat.js';
import { settle, VirtualClock } from '../../../src/testing/index.js';

/** A peer that answers pings when the test says so. */
function stage() {
  const clock = new VirtualClock();
  const open: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const pings: number[] = [];
  let answers = true;
  const heartbeat = new Heartbeat(clock, () => {
    pings.push(clock.now());
    if (answers) return Promise.resolve();
    return new Promise((resolve, reject) => void open.push({ resolve, reject }));
  });
  let death: string | undefined;
  heartbeat.dead.catch((error: Error) => {
    death = error.message;
  });
  return {
    clock,
    heartbeat,
    pings,
    open,
    silence: () => {
      answers = false;
    },
    death: () => death,
  };
}

describe('the heartbeat of a connection', () => {
  it('asks every 2 s, and is content with answers', async () => {
    const { clock, heartbeat, pings, death } = stage();
    await clock.advance(6_000);
    expect(pings).toEqual([2_000, 4_000, 6_000]);
    expect(death()).toBeUndefined();
    heartbeat.stop();
    expect(clock.pending).toBe(0);
  });

  it('dies after 2 s without an answer, and leaves no timer', async () => {
    const { clock, silence, death } = stage();
    silence();
    await clock.advance(3_999);
    expect(death()).toBeUndefined();
    await clock.advance(1);
    expect(death()).toMatch(/silent for 4 s/);
    expect(clock.pending).toBe(0);
  });

  it('dies at once when a ping fails', async () => {
    const { clock, silence, open, death } = stage();
    silence();
    await clock.advance(2_000);
    open[0]!.reject(new Error('reset'));
    await settle();
    expect(death()).toBe('reset');
    expect(clock.pending).toBe(0);
  });

  it('waits while something comes: the answer may be behind it', async () => {
    const { clock, heartbeat, silence, open, death } = stage();
    silence();
    await clock.advance(2_000);
    for (let i = 0; i < 5; i++) {
      await clock.advance(1_000);
      heartbeat.heard();
      await clock.advance(1_000);
      expect(death()).toBeUndefined();
    }
    open[0]!.resolve();
    await settle();
    await clock.advance(1_999);
    expect(death()).toBeUndefined();
    await clock.advance(2_001);
    expect(death(), 'of the next ping').toMatch(/silent/);
  });

  it('gives a server time when it was this process that stood still', async () => {
    const { clock, silence, open, death } = stage();
    silence();
    await clock.advance(2_000);
    // The timer is late: nobody ran it for 10 s.
    const standStill = clock.now;
    let skew = 0;
    clock.now = () => standStill.call(clock) + skew;
    skew = 10_000;
    await clock.advance(2_000);
    expect(death()).toBeUndefined();
    open[0]!.resolve();
    await settle();
    skew = 10_000;
    await clock.advance(1_000);
    expect(death()).toBeUndefined();
  });

  it('says nothing once it is stopped', async () => {
    const { clock, heartbeat, silence, open, death } = stage();
    silence();
    await clock.advance(2_000);
    heartbeat.stop();
    open[0]!.reject(new Error('closed'));
    await clock.advance(10_000);
    expect(death()).toBeUndefined();
    expect(clock.pending).toBe(0);
  });
});
