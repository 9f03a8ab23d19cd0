import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hash32, mix32, rehash } from '../../../src/balancer/pickers/hash.js';
import { HashRing } from '../../../src/balancer/pickers/hash-ring.js';
import { maglev } from '../../../src/balancer/pickers/maglev.js';
import type { PickerFactory } from '../../../src/balancer/pickers/picker.js';
import { ringHash } from '../../../src/balancer/pickers/ring-hash.js';
import { seededRandom } from '../../../src/base/random.js';
import { type FakeCandidate, FakeCandidates } from '../../../src/testing/index.js';

const KEYS = 20_000;
const unbounded = { bound: Number.POSITIVE_INFINITY };

const candidates = (factory: PickerFactory, weights: readonly number[], order = weights.map((_, i) => i)) => {
  const set = new FakeCandidates(factory({ random: seededRandom(1) }));
  for (const i of order) set.add({ address: `10.1.${i >> 8}.${i & 255}:50051`, weight: weights[i]! });
  return set;
};
const even = (n: number) => Array.from({ length: n }, () => 1);
/** Whose each key is when nothing is pending. */
const owners = (set: FakeCandidates, keys = KEYS) =>
  Array.from({ length: keys }, (_, i) => {
    const candidate = set.pick({ key: `user-${i}` })!;
    set.finish(candidate);
    return candidate.endpoint.address;
  });
const moved = (before: readonly string[], after: readonly string[]) =>
  before.filter((address, i) => address !== after[i]).length / before.length;
const shares = (picked: readonly string[]) => {
  const counts = new Map<string, number>();
  for (const address of picked) counts.set(address, (counts.get(address) ?? 0) + 1);
  return counts;
};

describe.each([
  // At most 1/n + 20 %.
  ['ring-hash', ringHash, 1.2],
  // Maglev's table is even at the price of keys that move between those who stay.
  ['maglev', maglev, 1.6],
] as const)('%s', (name, make, most) => {
  it('gives the calls of a key to one candidate, whoever asks and in whatever order the candidates came', () => {
    const inOrder = owners(candidates(make(), even(10)));
    const shuffled = owners(candidates(make(), even(10), [7, 2, 9, 0, 4, 1, 8, 3, 6, 5]));
    expect(shuffled).toEqual(inOrder);
  });

  it.each([2, 3, 10, 100])('shares the keys evenly among %d', (n) => {
    const counts = [...shares(owners(candidates(make(), even(n)), 100_000)).values()];
    expect(counts).toHaveLength(n);
    expect(Math.max(...counts)).toBeLessThan((100_000 / n) * 1.3);
    expect(Math.min(...counts)).toBeGreaterThan((100_000 / n) * 0.7);
  });

  it('shares them by weight, in whatever unit', () => {
    for (const unit of [0.001, 1, 100, 12_345]) {
      const set = candidates(make(), [1 * unit, 2 * unit, 5 * unit]);
      const counts = shares(owners(set));
      for (const { endpoint } of set.ready) {
        const due = (KEYS * endpoint.weight) / (8 * unit);
        expect(Math.abs(counts.get(endpoint.address)! / due - 1)).toBeLessThan(0.3);
      }
    }
  });

  it.each([3, 10, 50])(
    'moves hardly more keys than it must when one of %d leaves, and gives them back',
    (n) => {
      for (let leaver = 0; leaver < Math.min(n, 4); leaver++) {
        const set = candidates(make(), even(n));
        const before = owners(set);
        const { endpoint } = set.ready[leaver]!;
        set.remove(set.ready[leaver]!);
        const after = owners(set);
        expect(moved(before, after)).toBeLessThanOrEqual(most / n);
        set.add(endpoint);
        expect(owners(set)).toEqual(before);
      }
    },
  );

  it('never brings a candidate over ceil(1.25 x (pending + 1) / n)', () => {
    const set = candidates(make(), even(12));
    const random = seededRandom(4);
    let pending = 0;
    for (let step = 0; step < 30_000; step++) {
      const busy = set.ready.filter((candidate) => candidate.pending > 0);
      if (busy.length > 0 && random(100) < (pending > 200 ? 60 : 40)) {
        set.finish(busy[random(busy.length)]!);
        pending--;
      } else {
        const candidate = set.pick({ key: random(2) === 0 ? 'hot' : `key-${random(100)}` })!;
        expect(candidate.pending).toBeLessThanOrEqual(Math.ceil((1.25 * (pending + 1)) / 12));
        pending++;
      }
    }
  });

  it('rounds nothing up that is a whole number but for how weights add up', () => {
    for (let n = 3; n <= 12; n++) {
      const set = candidates(
        make(),
        even(n).map(() => 0.1),
      );
      for (let pending = 0; pending < 40 * n; pending++) {
        const candidate = set.pick({ key: 'hot' })!;
        expect(candidate.pending).toBeLessThanOrEqual(Math.ceil((1.25 * (pending + 1)) / n));
      }
    }
  });

  it('is not worn out by a great weight that comes and goes: of a running sum its rounding would be left', () => {
    const heavy = Array.from({ length: 5 }, () => 2 ** 32 - 1);
    const set = candidates(make({ tableSize: 251 }), [...heavy, 1e-6]);
    for (const candidate of set.ready.slice(0, -1)) set.remove(candidate);
    const light = set.ready[0]!;
    expect(set.pick({ key: 'any' })).toBe(light);
    set.finish(light);
    const other = set.add({ weight: 1e-6 });
    for (let i = 0; i < 100; i++) set.pick({ key: `key-${i}` });
    expect(other.pending).toBeGreaterThan(25);
    expect(other.pending).toBeLessThan(75);
  });

  it('scales the bound by weight', () => {
    const set = candidates(make(), [1, 3]);
    for (let i = 0; i < 400; i++) set.pick({ key: `key-${i}` });
    const [light, heavy] = set.ready;
    expect(light!.pending).toBeLessThanOrEqual(125);
    expect(heavy!.pending).toBeGreaterThanOrEqual(275);
  });

  it('keeps a key at home until home is at its bound, and brings it back after', () => {
    const set = candidates(make(), even(4));
    const home = set.pick({ key: 'a' })!;
    expect(set.pick({ key: 'a' })).not.toBe(home); // 2 > ceil(1.25 x 2 / 4) = 1
    for (let i = 0; i < 40; i++) set.pick({ key: 'a' });
    expect(home.pending).toBe(14); // ceil(1.25 x 42 / 4)
    for (const candidate of set.ready) while (candidate.pending > 0) set.finish(candidate as FakeCandidate);
    expect(set.pick({ key: 'a' })).toBe(home);
  });

  it('counts the calls of another picker, and no more those of who left', () => {
    const set = candidates(make(), even(4));
    for (const candidate of set.ready) candidate.pending = 10;
    set.swap(make()({ random: seededRandom(2) }));
    const home = set.pick({ key: 'a' })!;
    expect(set.pick({ key: 'a' })).toBe(home);
    expect(home.pending).toBe(12); // ceil(1.25 x 42 / 4) = 14
    for (const candidate of set.ready.filter((one) => one !== home)) set.remove(candidate);
    const other = set.add();
    for (let i = 0; i < 30; i++) set.pick({ key: String(i) });
    set.remove(home);
    while (other.pending > 0) set.finish(other);
    const rest = [other, set.add(), set.add()];
    for (let i = 0; i < 2; i++) set.pick({ key: 'a' });
    expect(rest.map(({ pending }) => pending).sort()).toEqual([0, 1, 1]); // ceil(1.25 x 2 / 3) = 1
  });

  it('leaves the calls of a key wherever they are without a bound', () => {
    const set = candidates(make(unbounded), even(4));
    const home = set.pick({ key: 'a' })!;
    for (let i = 0; i < 1_000; i++) expect(set.pick({ key: 'a' })).toBe(home);
  });

  it('spreads what home cannot take over all the others, in an order of the key', () => {
    const set = candidates(make(), even(20));
    const overflow = new Map<string, Set<string>>();
    for (let i = 0; i < 400; i++) {
      const key = `key-${i}`;
      const home = set.pick({ key })!;
      const next = set.pick({ key })!;
      set.finish(home);
      set.finish(next);
      const others = overflow.get(home.endpoint.address) ?? new Set();
      overflow.set(home.endpoint.address, others.add(next.endpoint.address));
    }
    for (const others of overflow.values()) expect(others.size).toBeGreaterThan(5);
  });

  it('sends calls without a key anywhere, by weight', () => {
    const set = candidates(make(unbounded), [1, 1, 2]);
    for (let i = 0; i < 8_000; i++) set.pick();
    const counts = set.ready.map(({ pending }) => pending / 8_000);
    for (const [i, share] of [0.25, 0.25, 0.5].entries())
      expect(Math.abs(counts[i]! - share)).toBeLessThan(0.06);
  });

  it('counts what is pending, whenever in a call its candidate leaves and comes back', () => {
    const picker = make()({ random: seededRandom(1) });
    const all = [0, 1, 2, 3].map((slot) => {
      const address = `10.1.0.${slot}:50051`;
      return { slot, pending: 0, full: false, endpoint: { id: address, address, weight: 1, metadata: {} } };
    });
    for (const candidate of all) picker.added!(candidate);
    const homes = () => Array.from({ length: 20 }, (_, i) => picker.pick(all, { now: 0, key: `user-${i}` }));
    const before = homes();
    const [probed] = all;
    for (let i = 0; i < 40; i++) {
      // A probe, of which no picker hears that it started, ends with its candidate coming back.
      picker.removed!(probed!);
      picker.added!(probed!);
      picker.finished!(probed!, 0, { code: 0, latencyMs: 1 });
    }
    expect(homes()).toEqual(before);
    const home = picker.pick(all, { now: 0, key: 'one' });
    const first = all.find((candidate) => candidate === home)!;
    first.pending++;
    picker.started!(first, 0);
    // ceil(1.25 x 2 / 4) is 1.
    expect(picker.pick(all, { now: 0, key: 'one' })).not.toBe(home);
    first.pending--;
    picker.finished!(first, 0, { code: 0, latencyMs: 1 });
    expect(picker.pick(all, { now: 0, key: 'one' })).toBe(home);
  });

  it.each([0.99, 0, Number.NaN])('refuses a bound of %s', (bound) => {
    expect(() => make({ bound })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(`${name} bound`) }),
    );
  });
});

describe('ring-hash', () => {
  it('moves no key but those of whoever joins or leaves', () => {
    const set = candidates(ringHash(), even(30));
    const before = owners(set);
    const leaver = set.ready[11]!;
    set.remove(leaver);
    const after = owners(set);
    for (const [i, address] of before.entries()) {
      if (address !== leaver.endpoint.address) expect(after[i]).toBe(address);
    }
  });

  it('agrees with a process that came to know the same members in another way', () => {
    const weights = [3, 1, 2, 5, 40];
    const other = candidates(ringHash(), even(5));
    for (const [i, weight] of [100, 200, 1, 1, 300].entries()) other.update(other.ready[i]!, { weight });
    for (const [i, weight] of weights.entries()) other.update(other.ready[i]!, { weight });
    expect(owners(other)).toEqual(owners(candidates(ringHash(), weights)));
  });

  it('moves next to no key when a weight changes a little', () => {
    const set = candidates(ringHash(), even(10));
    const before = owners(set);
    set.update(set.ready[0]!, { weight: 1.25 });
    expect(moved(before, owners(set))).toBeLessThan(0.05);
  });

  it('gives light ones among heavy ones less than three times their due', () => {
    const weights = [...Array.from({ length: 20 }, () => 1), ...Array.from({ length: 180 }, () => 50)];
    const set = candidates(ringHash(), weights);
    const light = new Set(
      set.ready.filter(({ endpoint }) => endpoint.weight === 1).map(({ endpoint }) => endpoint.address),
    );
    const got = owners(set, 100_000).filter((address) => light.has(address)).length;
    expect(got / 100_000).toBeLessThan((3 * 20) / (20 + 180 * 50));
  });
});

describe('maglev', () => {
  it('is filled by turns, not by rounds: one great weight among many costs no round for each place', () => {
    // Round by round this would take a million times ten thousand steps.
    const set = candidates(maglev({ tableSize: 1_000_003 }), [...even(10_000), 2 ** 32 - 1]);
    const heavy = set.ready.at(-1)!.endpoint.address;
    const counts = shares(owners(set, 10_000));
    expect(counts.get(heavy)! / 10_000).toBeGreaterThan(0.99);
  });

  it('has the most even shares', () => {
    const counts = [...shares(owners(candidates(maglev(), even(10)), 200_000)).values()];
    expect(Math.max(...counts) / Math.min(...counts)).toBeLessThan(1.05);
  });

  it.each([0, 1, 4, 65_536, 2.5, 1e9])('refuses a table of %s places', (tableSize) => {
    expect(() => maglev({ tableSize })).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringContaining('maglev.tableSize'),
      }),
    );
  });
});

/** The ring as its description has it: all points in order, and a search from the first one on. */
class SortedPoints {
  readonly #points: { readonly place: number; readonly slot: number }[] = [];

  constructor(members: ReadonlyMap<number, number>) {
    for (const [slot, count] of members) {
      const [start, step] = [hash32(`host-${slot}:1`, 0), hash32(`host-${slot}:1`, 1) | 1];
      for (let n = 0; n < count; n++) {
        this.#points.push({ place: mix32(start + Math.imul(n, step)) || 1, slot });
      }
    }
    this.#points.sort((a, b) => a.place - b.place);
  }

  after(sought: number) {
    return this.#points.find(({ place }) => place >= sought) ?? this.#points[0]!;
  }

  /** Whose point follows one of five hashes most closely; the last of them, where half the distance is the same. */
  owner(hash: number): number {
    const found = [0, 1, 2, 3, 4].map((n) => {
      const sought = rehash(hash, n) || 1;
      const { place, slot } = this.after(sought);
      return { slot, distance: (place - sought) >>> 1 };
    });
    return found.reduce((best, other) => (other.distance <= best.distance ? other : best)).slot;
  }
}

describe('HashRing', () => {
  it('answers as a sorted array does, through growing and shrinking', () => {
    const changes = fc.array(fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 40 })), {
      minLength: 1,
      maxLength: 80,
      size: 'max',
    });
    const random = seededRandom(9);
    const sought = [0, 2 ** 32 - 1, ...Array.from({ length: 200 }, () => random(2 ** 32))];
    fc.assert(
      fc.property(changes, (steps) => {
        const ring = new HashRing();
        const members = new Map<number, number>();
        for (const [slot, points] of steps) {
          const known = members.get(slot);
          if (known === undefined) ring.add(slot, `host-${slot}:1`, points);
          else ring.delete(slot, `host-${slot}:1`, known);
          if (known === undefined) members.set(slot, points);
          else members.delete(slot);
          expect(ring.size).toBe([...members.values()].reduce((sum, count) => sum + count, 0));
        }
        if (members.size === 0) return;
        const sorted = new SortedPoints(members);
        const wrong = sought.filter(
          (hash) => ring.after(hash) !== sorted.after(hash).slot || ring.owner(hash) !== sorted.owner(hash),
        );
        expect(wrong).toEqual([]);
      }),
    );
  });

  it('does not let the order of joining decide between two points on one place', () => {
    const [a, b, shared] = ['host-8344:1', 'host-18566:1', 1574820712];
    const ownerOfShared = (first: number, second: number) => {
      const ring = new HashRing();
      for (const slot of [first, second]) ring.add(slot, [a, b][slot]!, 4);
      return ring.after(shared);
    };
    expect(ownerOfShared(0, 1)).toBe(ownerOfShared(1, 0));
  });

  it('gives every member its part of the places, and ends where it begins', () => {
    const ring = new HashRing();
    for (let slot = 0; slot < 20; slot++) ring.add(slot, `host-${slot}:1`, 50);
    const counts = new Array<number>(20).fill(0);
    const random = seededRandom(1);
    for (let i = 0; i < 100_000; i++) counts[ring.after(random(2 ** 32))]!++;
    expect(Math.min(...counts)).toBeGreaterThan(2_500);
    expect(Math.max(...counts)).toBeLessThan(10_000);
    expect(ring.after(2 ** 32 - 1)).toBe(ring.after(0));
  });
});
