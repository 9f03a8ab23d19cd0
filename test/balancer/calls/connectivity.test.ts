import { describe, expect, it } from 'vitest';
import { Connectivity, type PoolConnectivity } from '../../../src/balancer/calls/connectivity.js';
import { VirtualClock } from '../../../src/testing/index.js';

function setUp() {
  const clock = new VirtualClock();
  let state: PoolConnectivity = 'connecting';
  const connectivity = new Connectivity(clock, () => state);
  const become = (next: PoolConnectivity) => {
    state = next;
    connectivity.changed();
  };
  return { clock, connectivity, become };
}

const READY = (state: PoolConnectivity) => state === 'ready';

describe('connectivity that is waited for', () => {
  it('is told once, when it is what was wanted', async () => {
    const { clock, connectivity, become } = setUp();
    const told: boolean[] = [];
    connectivity.until(READY, 1_000, (reached) => told.push(reached));
    become('failed');
    expect(told).toEqual([]);
    become('ready');
    become('failed');
    become('ready');
    await clock.advance(2_000);
    expect(told).toEqual([true]);
    expect(clock.pending).toBe(0);
  });

  it('is told at once where it is so already', () => {
    const { clock, connectivity, become } = setUp();
    become('ready');
    const told: boolean[] = [];
    connectivity.until(READY, 1_000, (reached) => told.push(reached));
    expect([told, clock.pending]).toEqual([[true], 0]);
  });

  it('is given up when its time is over, and when it is taken back', async () => {
    const { clock, connectivity, become } = setUp();
    const told: string[] = [];
    connectivity.until(READY, 1_000, (reached) => told.push(`late ${reached}`));
    const stop = connectivity.until(READY, 1_000, (reached) => told.push(`stopped ${reached}`));
    stop();
    stop();
    await clock.advance(1_000);
    become('ready');
    expect(told).toEqual(['late false']);
    expect(clock.pending).toBe(0);
  });

  it('may be waited for anew from within what is told', () => {
    const { connectivity, become } = setUp();
    const told: string[] = [];
    connectivity.until(READY, Number.POSITIVE_INFINITY, () => {
      told.push('ready');
      connectivity.until(
        (state) => state === 'failed',
        Number.POSITIVE_INFINITY,
        () => told.push('failed'),
      );
    });
    become('ready');
    become('failed');
    expect(told).toEqual(['ready', 'failed']);
  });
});
