import { describe, expect, it } from 'vitest';
import { Patience } from '../../../src/registry/etcd/patience.js';

const connecting = { connecting: true };
const connected = { connecting: false };

describe('Patience', () => {
  it('is what was said while nothing is known, and while etcd is near', () => {
    const patience = new Patience(1);
    expect([patience.callMs(1_000, connecting), patience.answerMs(2_000)]).toEqual([1_000, 2_000]);
    for (let i = 0; i < 20; i++) patience.measured(5);
    expect([patience.callMs(1_000, connecting), patience.answerMs(2_000)]).toEqual([1_000, 2_000]);
  });

  it('doubles once each member was waited for in vain, up to 5 s, and ends with the first answer', () => {
    const patience = new Patience(3);
    const waits = Array.from({ length: 13 }, () => {
      const ms = patience.callMs(1_000, connecting);
      patience.gaveUp();
      return ms;
    });
    expect(waits).toEqual([1, 1, 1, 2, 2, 2, 4, 4, 4, 5, 5, 5, 5].map((s) => s * 1_000));
    patience.measured(1);
    expect(patience.callMs(1_000, connecting)).toBe(1_000);
  });

  it('is never less than what was said', () => {
    const patience = new Patience(1);
    for (let i = 0; i < 5; i++) patience.gaveUp();
    expect(patience.callMs(20_000, connecting)).toBe(20_000);
  });

  it('grows with what is measured, as RFC 6298 does, and with the round trips of connecting', () => {
    const patience = new Patience(1);
    patience.measured(1_000);
    // SRTT 1,000, RTTVAR 500.
    expect(patience.answerMs(1_000)).toBe(3_000);
    expect([patience.callMs(1_000, connected), patience.callMs(1_000, connecting)]).toEqual([6_000, 18_000]);
    for (let i = 0; i < 100; i++) patience.measured(1_000);
    expect(patience.answerMs(500)).toBeCloseTo(1_000);
    expect(patience.callMs(500, connected)).toBeCloseTo(2_000);
    expect(patience.callMs(500, connecting)).toBeCloseTo(6_000);
    patience.measured(1_800);
    // SRTT 1,100, RTTVAR 200.
    expect(patience.answerMs(500)).toBeCloseTo(1_900);
  });

  it('counts half of what had to connect first, and no more than half a minute whatever was measured', () => {
    const patience = new Patience(1);
    patience.measured(2_000, { connecting: true });
    expect(patience.answerMs(500)).toBe(3_000);
    patience.measured(600_000);
    expect(patience.callMs(500, connecting)).toBe(30_000);
  });

  it('waits 4 s for a sign of life at the most, but where answers are known to take longer', () => {
    const patience = new Patience(1);
    for (let i = 0; i < 5; i++) patience.gaveUp();
    expect(patience.answerMs(2_000)).toBe(4_000);
    patience.measured(1_500);
    // SRTT 1,500, RTTVAR 750.
    expect(patience.answerMs(2_000)).toBe(4_000);
    for (let i = 0; i < 50; i++) patience.measured(3_000 + (i % 2) * 2_000);
    expect(patience.answerMs(2_000)).toBeGreaterThan(7_000);
    expect(patience.answerMs(2_000)).toBeLessThan(9_000);
  });
});
