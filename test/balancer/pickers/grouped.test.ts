import { describe, expect, it } from 'vitest';
import { grouped } from '../../../src/balancer/pickers/grouped.js';
import type { Candidate, Picker } from '../../../src/balancer/pickers/picker.js';
import { zoneAware } from '../../../src/balancer/pickers/zone-aware.js';
import type { Endpoint } from '../../../src/base/endpoint.js';
import { seededRandom } from '../../../src/base/random.js';
import { FakeCandidate, FakeCandidates } from '../../../src/testing/index.js';

const version = ({ metadata }: Endpoint) => metadata.version;
const setUp = (...versions: (string | undefined)[]) => {
  let labelled = 0;
  const label = (endpoint: Endpoint) => {
    labelled++;
    return version(endpoint);
  };
  const set = new FakeCandidates(grouped({ label, inner: 'round-robin' })({ random: seededRandom(1) }));
  const all = versions.map((one) => set.add({ metadata: one === undefined ? {} : { version: one } }));
  return { set, all, labels: () => labelled };
};
const slots = (set: FakeCandidates, picks: number, group?: string) =>
  Array.from({ length: picks }, () => set.pick({ group })?.slot ?? '-').join('');

describe('grouped', () => {
  it('gives a call that names a group to that group alone', () => {
    const { set } = setUp('v1', 'v2', 'v1', undefined, 'v2');
    expect(slots(set, 4, 'v1')).toBe('0202');
    expect(slots(set, 3, 'v2')).toBe('141');
    expect(slots(set, 2, 'v3')).toBe('--');
  });

  it('gives a call that names none to anybody', () => {
    const { set } = setUp('v1', 'v2', undefined);
    expect(slots(set, 6)).toBe('012012');
  });

  it('has nothing for a group that is full or excluded, whatever there is beside', () => {
    const { set, all } = setUp('v1', 'v2', 'v2');
    all[1]!.limit = 0;
    expect(set.pick({ group: 'v2', exclude: new Set([all[2]!]) })).toBeUndefined();
    expect(slots(set, 2, 'v2')).toBe('22');
  });

  it('labels when something changes, and never for a call', () => {
    const { set, all, labels } = setUp('v1', 'v2');
    const before = labels();
    for (let i = 0; i < 100; i++) set.finish(set.pick({ group: 'v1' })!);
    expect(labels()).toBe(before);
    set.update(all[1]!, { metadata: { version: 'v1' } });
    expect(labels()).toBeGreaterThan(before);
  });

  it('moves a candidate whose label changes', () => {
    const { set, all } = setUp('v1', 'v1', 'v2');
    set.update(all[0]!, { metadata: { version: 'v2' } });
    expect(slots(set, 2, 'v1')).toBe('11');
    expect(slots(set, 4, 'v2')).toBe('2020');
    set.update(all[0]!, { metadata: {} });
    expect(slots(set, 2, 'v2')).toBe('22');
    expect(slots(set, 3)).toBe('012');
  });

  it('forgets a group that nobody is in, and takes the late calls of those who were', () => {
    const made: Picker[] = [];
    const inner = () => {
      const picker: Picker = { name: 'first', pick: (ready) => ready[0] };
      made.push(picker);
      return picker;
    };
    const set = new FakeCandidates(grouped({ label: version, inner })({ random: seededRandom(1) }));
    for (let i = 0; i < 3; i++) {
      const candidate = set.add({ metadata: { version: 'v1' } });
      expect(set.pick({ group: 'v1' })).toBe(candidate);
      set.remove(candidate);
      expect(set.pick({ group: 'v1' })).toBeUndefined();
      set.finish(candidate);
    }
    expect(made).toHaveLength(1 + 3); // the one for all, and one each time the group came to be
  });

  it('keeps a group whose endpoints are announced, READY or not, and no longer', () => {
    let made = 0;
    const inner = () => {
      made++;
      return { name: 'first', pick: (ready: readonly Candidate[]) => ready[0] };
    };
    const picker = grouped({ label: version, inner })({ random: seededRandom(1) });
    const endpoint = (one: string) => ({
      id: '1',
      address: '10.0.0.9:1',
      weight: 1,
      metadata: { version: one },
    });
    picker.announced!(endpoint('v1'), undefined);
    const candidate = new FakeCandidate(endpoint('v1'), 0);
    for (let i = 0; i < 3; i++) {
      picker.added!(candidate);
      picker.removed!(candidate);
    }
    expect(made).toBe(1 + 1);
    picker.announced!(endpoint('v2'), endpoint('v1'));
    picker.announced!(endpoint('v1'), endpoint('v2'));
    expect(made).toBe(1 + 3);
  });

  it('tells the picker of each group what is announced in it', () => {
    const label = version;
    const picker = grouped({ label, inner: zoneAware({ zone: 'a', inner: 'round-robin' }) })({
      random: seededRandom(1),
    });
    const set = new FakeCandidates(picker);
    const inV1 = { version: 'v1', zone: 'a' };
    picker.announced!({ id: '1', address: '10.0.0.9:1', weight: 1, metadata: inV1 }, undefined);
    const here = set.add({ metadata: inV1 });
    const elsewhere = set.add({ metadata: { version: 'v1', zone: 'b' } });
    set.add({ metadata: { version: 'v2', zone: 'a' } });
    for (let i = 0; i < 700; i++) set.pick({ group: 'v1' });
    expect(here.pending / 700).toBeCloseTo(0.5 / 0.7, 2); // 1 of 2 is READY
    expect(here.pending + elsewhere.pending).toBe(700);
    const missing = { id: '1', address: '10.0.0.9:1', weight: 1 };
    picker.announced!({ ...missing, metadata: { ...inV1, version: 'v2' } }, { ...missing, metadata: inV1 });
    for (let i = 0; i < 100; i++) expect(set.pick({ group: 'v1' })).toBe(here);
  });
});
