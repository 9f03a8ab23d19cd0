import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { eligible, type PickContext, type PickerFactory } from '../balancer/pickers/picker.js';
import { Status } from '../base/errors.js';
import { type Random, seededRandom } from '../base/random.js';
import { type FakeCandidate, FakeCandidates } from './fake-candidates.js';
import { globalRunner, type TestRunner } from './test-runner.js';

/**
 * The contract of `Picker`, as a suite of tests: every picker of evenkeel passes it, and yours should.
 *
 * @param runner - your test runner's functions, such as `{ describe, it }` of `node:test` or `vitest`. Default: the
 *   global `describe` and `it`.
 * @throws Error when there is no runner.
 */
export function describePicker(
  name: string,
  factory: PickerFactory,
  runner: TestRunner = globalRunner(),
): void {
  const { describe, it } = runner;
  const candidates = (seed = 1) => new FakeCandidates(factory({ random: seededRandom(seed) }));

  describe(`${name} keeps the contract of a picker`, () => {
    it('has a name', () => {
      const picker = factory({ random: seededRandom(1) });
      assert.equal(typeof picker.name, 'string');
      assert.notEqual(picker.name, '');
    });

    it('picks the only candidate, time after time', () => {
      const set = candidates();
      const only = set.add();
      for (let i = 0; i < 100; i++) assert.equal(set.pick(), only);
      for (let i = 0; i < 100; i++) set.finish(only);
      assert.equal(set.pick(), only);
    });

    it('never picks a full candidate, and picks it again once it is not', () => {
      const set = candidates();
      const [a, b, c] = [set.add(), set.add(), set.add()];
      for (const candidate of set.ready) (candidate as FakeCandidate).limit = 2;
      for (let i = 0; i < 6; i++) assert.notEqual(set.pick(), undefined);
      assert.deepEqual([a.pending, b.pending, c.pending], [2, 2, 2]);
      assert.equal(set.pick(), undefined);
      set.finish(b);
      assert.equal(set.pick(), b);
      assert.equal(set.pick(), undefined);
    });

    it('never picks what the call excludes, and nothing when it excludes all', () => {
      const set = candidates();
      const all = Array.from({ length: 5 }, () => set.add());
      for (const spared of all) {
        const exclude = new Set(all.filter((candidate) => candidate !== spared));
        for (let i = 0; i < 10; i++) assert.equal(set.pick({ exclude }), spared);
      }
      assert.equal(set.pick({ exclude: new Set(all) }), undefined);
      assert.notEqual(set.pick(), undefined);
    });

    it('never picks what was removed, and takes its late calls', () => {
      const set = candidates();
      const [a, b] = [set.add(), set.add()];
      for (let i = 0; i < 20; i++) set.pick();
      set.remove(a);
      for (let i = 0; i < 20; i++) assert.equal(set.pick(), b);
      while (a.pending > 0) set.finish(a);
      for (let i = 0; i < 20; i++) assert.equal(set.pick(), b);
      set.remove(b);
      const c = set.add();
      assert.equal(set.pick(), c);
    });

    it('takes over candidates that have calls of another picker pending', () => {
      const set = candidates();
      const all = Array.from({ length: 4 }, () => set.add());
      for (let i = 0; i < 30; i++) set.pick();
      set.swap(factory({ random: seededRandom(2) }));
      for (let i = 0; i < 30; i++) assert.notEqual(set.pick(), undefined);
      for (const candidate of all) while (candidate.pending > 0) set.finish(candidate);
      for (let i = 0; i < 30; i++) assert.notEqual(set.pick(), undefined);
    });

    for (const weights of [
      [0, 0, 0],
      [0, 1, 0],
      [1, 1, 1],
      [1e-6, 1, 1e6],
    ]) {
      it(`picks whatever the weights are: ${weights.join(', ')}`, () => {
        const set = candidates();
        const all = weights.map((weight) => set.add({ weight }));
        for (let i = 0; i < 50; i++) assert.notEqual(set.pick(), undefined);
        for (const spared of all) {
          assert.equal(set.pick({ exclude: new Set(all.filter((one) => one !== spared)) }), spared);
        }
        for (const candidate of all) set.update(candidate, { weight: 0 });
        for (let i = 0; i < 50; i++) assert.notEqual(set.pick(), undefined);
      });
    }

    it('answers as a model does through random events: joins, leaves, swaps, limits, exclusions, new weights', () => {
      for (let seed = 1; seed <= 20; seed++) randomEvents(factory, seed, 2_000);
    });

    it('draws on nothing but the randomness it is given', () => {
      assert.deepEqual(randomEvents(factory, 7, 2_000), randomEvents(factory, 7, 2_000));
    });

    it('grows neither with the calls that were made nor with the candidates that came and went', () => {
      const set = candidates();
      for (let i = 0; i < 20; i++) set.add();
      const random = seededRandom(3);
      const pending: FakeCandidate[] = [];
      const run = (steps: number) => {
        for (let step = 0; step < steps; step++) {
          set.now += 1;
          pending.push(set.pick({ key: String(step) })!);
          if (pending.length > 40) set.finish(takeAny(pending, random));
          if (step % 20 === 0) {
            set.remove(set.ready[random(20)]!);
            set.add({ weight: 1 + random(5) });
          }
        }
      };
      run(20_000);
      // The engine's own housekeeping comes and goes; a leak is there in every window.
      const heapUsed = heapMeter();
      let before = heapUsed();
      const grown = [1, 2, 3].map(() => {
        run(40_000);
        const grownFrom = before;
        before = heapUsed();
        return before - grownFrom;
      });
      assert.ok(Math.min(...grown) < 128 * 1024, `the heap grew by ${grown.join(', ')} bytes`);
    });
  });
}

/** Plays random events, holding every answer against the naive model. Returns the addresses picked. */
function randomEvents(factory: PickerFactory, seed: number, steps: number): string[] {
  const random = seededRandom(seed);
  const set = new FakeCandidates(factory({ random: seededRandom(seed + 1_000) }));
  const pending: FakeCandidate[] = [];
  const picked: string[] = [];
  const any = () => set.ready[random(set.ready.length)]!;
  const weight = () => [0, 1, 1, 2, 0.5, 10][random(6)]!;
  const mostCandidates = 1 + random(12);

  for (let step = 0; step < steps; step++) {
    set.now += random(50);
    const event = random(100);
    if (set.ready.length === 0 || (event < 6 && set.ready.length < mostCandidates)) {
      set.add({ weight: weight(), metadata: { zone: 'ab'[random(2)]! } });
    } else if (event < 10) {
      set.remove(any());
    } else if (event < 13) {
      set.update(any(), { weight: weight() });
    } else if (event < 15) {
      any().limit = random(3) === 0 ? Number.POSITIVE_INFINITY : random(6);
    } else if (event < 16) {
      set.swap(factory({ random: seededRandom(seed + step) }));
    } else if (event < 17) {
      set.reverse();
    } else if (event < 58 && pending.length > 0) {
      set.finish(takeAny(pending, random), {
        code: random(5) === 0 ? Status.UNAVAILABLE : Status.OK,
        ...(random(5) > 0 && { latencyMs: random(1_000) / 10 }),
      });
    } else {
      const call = randomCall(set, random);
      const mayBePicked = set.ready.filter((candidate) => eligible(candidate, { ...call, now: set.now }));
      const candidate = set.pick(call);
      if (mayBePicked.length === 0) {
        assert.equal(candidate, undefined, `seed ${seed}, step ${step}: every candidate is full or excluded`);
      } else {
        assert.ok(candidate !== undefined, `seed ${seed}, step ${step}: a candidate might have been picked`);
        assert.ok(
          mayBePicked.includes(candidate),
          `seed ${seed}, step ${step}: ${describeWrong(set, candidate)}`,
        );
        pending.push(candidate);
        picked.push(candidate.endpoint.address);
      }
    }
  }
  return picked;
}

function randomCall(set: FakeCandidates, random: Random): Omit<PickContext, 'now'> {
  return {
    ...(random(2) === 0 && { key: `key-${random(50)}` }),
    ...(random(4) === 0 && { exclude: new Set(set.ready.filter(() => random(2) === 0)) }),
  };
}

function describeWrong(set: FakeCandidates, candidate: FakeCandidate): string {
  const { address } = candidate.endpoint;
  if (!set.ready.includes(candidate)) return `${address} is not READY`;
  return candidate.pending > candidate.limit ? `${address} was full` : `${address} was excluded`;
}

function takeAny<T>(items: T[], random: Random): T {
  const at = random(items.length);
  const taken = items[at]!;
  const last = items.pop()!;
  if (at < items.length) items[at] = last;
  return taken;
}

/**
 * Measures the heap in bytes, after a full collection, which a runtime that was started without --expose-gc allows in a
 * context made later.
 */
function heapMeter(): () => number {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  return () => {
    gc();
    gc();
    return process.memoryUsage().heapUsed;
  };
}
