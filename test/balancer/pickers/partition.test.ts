// What the pickers within grouped and zoneAware hear: each of its own part, and nothing else.
import { describe, expect, it } from 'vitest';
import { grouped } from '../../../src/balancer/pickers/grouped.js';
import type { Candidate, Outcome, Picker } from '../../../src/balancer/pickers/picker.js';
import { zoneAware } from '../../../src/balancer/pickers/zone-aware.js';
import type { Endpoint } from '../../../src/base/endpoint.js';
import { seededRandom } from '../../../src/base/random.js';
import { FakeCandidates } from '../../../src/testing/index.js';

/** A factory of pickers that write down what they hear, numbered in the order in which they were made. */
function noting() {
  const heard: string[] = [];
  let made = 0;
  const inner = (): Picker => {
    const number = made++;
    const note = (what: string) => heard.push(`${number} ${what}`);
    const tag = (endpoint: Endpoint | undefined) => endpoint?.metadata.tag ?? 'none';
    return {
      name: 'noting',
      pick: (ready, { exclude }) => ready.find((one) => !one.full && !exclude?.has(one)),
      announced: (now, before) => note(`announced ${tag(now)} for ${tag(before)}`),
      added: ({ endpoint }) => note(`added ${tag(endpoint)}`),
      removed: ({ endpoint }) => note(`removed ${tag(endpoint)}`),
      updated: ({ endpoint }, previous) => note(`updated ${tag(endpoint)} from ${tag(previous)}`),
      started: ({ endpoint }: Candidate, now: number) => note(`started ${tag(endpoint)} at ${now}`),
      finished: ({ endpoint }: Candidate, now: number, { code }: Outcome) =>
        note(`finished ${tag(endpoint)} at ${now} with ${code}`),
    };
  };
  return { inner, taken: () => heard.splice(0) };
}

const label = ({ metadata }: Endpoint) => metadata.group;

describe('the pickers within grouped', () => {
  const setUp = () => {
    const { inner, taken } = noting();
    const set = new FakeCandidates(grouped({ label, inner })({ random: seededRandom(1) }));
    return { set, taken };
  };

  it('hear of calls on their candidates, whichever of them picked', () => {
    const { set, taken } = setUp();
    const a = set.add({ metadata: { tag: 'a', group: 'g' } });
    const lone = set.add({ metadata: { tag: 'lone' } });
    expect(taken()).toEqual([
      '1 announced a for none',
      '0 announced a for none',
      '1 added a',
      '0 added a',
      '0 announced lone for none',
      '0 added lone',
    ]);
    set.now = 5;
    set.pick({ group: 'g' });
    set.pick();
    expect(taken()).toEqual(['1 started a at 5', '0 started a at 5', '1 started a at 5', '0 started a at 5']);
    set.now = 6;
    set.finish(a, { code: 14 });
    expect(taken()).toEqual(['1 finished a at 6 with 14', '0 finished a at 6 with 14']);
    a.limit = 0;
    expect(set.pick()).toBe(lone);
    expect(taken()).toEqual(['0 started lone at 6']);
  });

  it('hear of changes, of moves as comings and goings, and of late ends', () => {
    const { set, taken } = setUp();
    const a = set.add({ metadata: { tag: 'a', group: 'g' } });
    set.add({ metadata: { tag: 'b', group: 'h' } });
    set.pick({ group: 'g' });
    taken();
    set.update(a, { metadata: { tag: 'a2', group: 'g' } });
    expect(taken()).toEqual([
      '1 announced a2 for a',
      '0 announced a2 for a',
      '1 updated a2 from a',
      '0 updated a2 from a',
    ]);
    set.update(a, { metadata: { tag: 'a3', group: 'h' } });
    expect(taken()).toEqual([
      '1 announced none for a2',
      '2 announced a3 for none',
      '0 announced a3 for a2',
      '1 removed a3',
      '2 added a3',
      '0 updated a3 from a2',
    ]);
    set.remove(a);
    expect(taken()).toEqual([
      '2 announced none for a3',
      '0 announced none for a3',
      '2 removed a3',
      '0 removed a3',
    ]);
    set.finish(a);
    expect(taken()).toEqual(['2 finished a3 at 0 with 0', '0 finished a3 at 0 with 0']);
  });

  it('are none for a candidate that leaves its group for none', () => {
    const { set, taken } = setUp();
    const a = set.add({ metadata: { tag: 'a', group: 'g' } });
    taken();
    set.update(a, { metadata: { tag: 'a' } });
    expect(taken()).toEqual([
      '1 announced none for a',
      '0 announced a for a',
      '1 removed a',
      '0 updated a from a',
    ]);
    expect(set.pick({ group: 'g' })).toBeUndefined();
    set.update(a, { metadata: { tag: 'a4' } });
    set.remove(a);
    expect(taken()).toEqual([
      '0 announced a4 for a',
      '0 updated a4 from a',
      '0 announced none for a4',
      '0 removed a4',
    ]);
  });
});

describe('the pickers within zoneAware', () => {
  it('hear of their own side', () => {
    const { inner, taken } = noting();
    const set = new FakeCandidates(zoneAware({ zone: 'z', inner })({ random: seededRandom(1) }));
    const here = set.add({ metadata: { tag: 'here', zone: 'z' } });
    const there = set.add({ metadata: { tag: 'there', zone: 'y' } });
    expect(taken()).toEqual([
      '0 announced here for none',
      '0 added here',
      '1 announced there for none',
      '1 added there',
    ]);
    set.now = 7;
    expect(set.pick()).toBe(here);
    here.limit = 1;
    expect(set.pick()).toBe(there);
    expect(taken()).toEqual(['0 started here at 7', '1 started there at 7']);
    set.finish(here, { code: 3 });
    set.update(there, { metadata: { tag: 'came', zone: 'z' } });
    expect(taken()).toEqual([
      '0 finished here at 7 with 3',
      '1 announced none for there',
      '0 announced came for none',
      '1 removed came',
      '0 added came',
    ]);
    set.finish(there);
    set.remove(there);
    expect(taken()).toEqual(['0 finished came at 7 with 0', '0 announced none for came', '0 removed came']);
  });
});
