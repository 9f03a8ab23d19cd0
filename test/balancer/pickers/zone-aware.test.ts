import { describe, expect, it } from 'vitest';
import { peakEwmaPicker } from '../../../src/balancer/pickers/peak-ewma.js';
import { type ZoneAwareOptions, zoneAware } from '../../../src/balancer/pickers/zone-aware.js';
import type { Endpoint } from '../../../src/base/endpoint.js';
import { seededRandom } from '../../../src/base/random.js';
import { FakeCandidates } from '../../../src/testing/index.js';

const endpoint = (id: string, zone: string, weight = 1): Endpoint => ({
  id,
  address: `10.0.0.1:${id}`,
  weight,
  metadata: { zone },
});

/** READY candidates here and elsewhere, and endpoints here that are announced and not READY. */
const setUp = (here: number, missing: number, elsewhere: number, options: Partial<ZoneAwareOptions> = {}) => {
  const picker = zoneAware({ zone: 'a', inner: 'round-robin', ...options })({ random: seededRandom(1) });
  const set = new FakeCandidates(picker);
  for (let i = 0; i < missing; i++) picker.announced!(endpoint(`${20_000 + i}`, 'a'), undefined);
  for (let i = 0; i < elsewhere; i++) set.add({ metadata: { zone: i % 2 === 0 ? 'b' : 'c' } });
  for (let i = 0; i < here; i++) set.add({ metadata: { zone: 'a' } });
  const isHere = ({ endpoint: { metadata } }: { endpoint: Endpoint }) => metadata.zone === 'a';
  /** The part of so many picks that stays. */
  const staying = (picks = 1_000) => {
    let count = 0;
    for (let i = 0; i < picks; i++) if (isHere(set.pick()!)) count++;
    return count / picks;
  };
  return { set, picker, staying, isHere };
};

describe('zone-aware', () => {
  it('keeps every call here while 70 % of what is announced here is READY', () => {
    expect(setUp(10, 0, 20).staying()).toBe(1);
    expect(setUp(7, 3, 20).staying()).toBe(1);
    expect(setUp(1, 0, 20).staying()).toBe(1);
  });

  it('spills over in proportion below that', () => {
    expect(setUp(6, 4, 20).staying(7_000)).toBeCloseTo(6 / 7, 3);
    expect(setUp(35, 65, 20).staying()).toBe(0.5);
    expect(setUp(1, 9, 20).staying(7_000)).toBeCloseTo(1 / 7, 3);
    expect(setUp(0, 10, 20).staying()).toBe(0);
    expect(setUp(2, 2, 4, { threshold: 1 }).staying()).toBe(0.5);
    expect(setUp(1, 99, 4, { threshold: 0 }).staying()).toBe(1);
  });

  it('balances within each side', () => {
    const { set, staying, isHere } = setUp(7, 13, 5);
    staying(1_400);
    for (const candidate of set.ready) expect(candidate.pending).toBe(isHere(candidate) ? 100 : 140);
  });

  it('stays here when nothing is elsewhere, and leaves when nobody here can take it', () => {
    expect(setUp(1, 9, 0).staying()).toBe(1);
    const { set, staying } = setUp(2, 0, 2);
    for (const candidate of set.ready) if (candidate.endpoint.metadata.zone === 'a') candidate.limit = 0;
    expect(staying()).toBe(0);
  });

  it('follows what is announced, withdrawn and changed', () => {
    const { picker, staying } = setUp(5, 0, 5);
    expect(staying()).toBe(1);
    const lost = Array.from({ length: 5 }, (_, i) => endpoint(`${30_000 + i}`, 'a'));
    for (const one of lost) picker.announced!(one, undefined);
    expect(staying(1_400)).toBeCloseTo(1_000 / 1_400, 2);
    picker.announced!(endpoint('30000', 'b'), lost[0]);
    picker.announced!(endpoint('30001', 'a', 0), lost[1]);
    picker.announced!(undefined, lost[2]);
    expect(staying()).toBe(1); // 5 of 7
  });

  it('takes a candidate that changes its zone to the other side, with its pending calls', () => {
    const { set, staying } = setUp(1, 0, 2, { inner: 'least-pending' });
    const mover = set.ready.find((candidate) => candidate.endpoint.metadata.zone === 'b')!;
    mover.pending = 0;
    set.update(mover, { metadata: { zone: 'a' } });
    expect(staying(10)).toBe(1);
    expect(mover.pending).toBe(5);
    set.update(mover, { metadata: { zone: 'c' } });
    expect(staying(10)).toBe(1);
    expect(mover.pending).toBe(5);
    while (mover.pending > 0) set.finish(mover);
  });

  it('reads the zone where it is told to', () => {
    const { set, staying } = setUp(0, 0, 4, { zone: '10.0', zoneOf: ({ address }) => address.slice(0, 4) });
    expect(staying()).toBe(0);
    expect(set.ready.every((candidate) => candidate.pending === 250)).toBe(true);
  });

  it('has any picker inside, and names it', () => {
    const random = seededRandom(1);
    expect(zoneAware({ zone: 'a' })({ random }).name).toBe('zone-aware least-pending');
    expect(zoneAware({ zone: 'a', inner: peakEwmaPicker() })({ random }).name).toBe('zone-aware peak-ewma');
  });

  it.each([
    { threshold: 1.1 },
    { threshold: Number.NaN },
    { zone: '' },
    { zone: undefined as unknown as string },
  ])('refuses %j', (options) => {
    expect(() => zoneAware({ zone: 'a', ...options })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    );
  });

  it('refuses an inner picker that is not known', () => {
    expect(() => zoneAware({ zone: 'a', inner: 'nearest' as 'random' })).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_PICKER' }),
    );
  });
});
