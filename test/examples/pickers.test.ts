import { describePicker, FakeCandidates } from 'evenkeel/testing';
import { describe, expect, it } from 'vitest';
import { picker as lastLatency } from '../../examples/pickers/last-latency.js';
// @ts-expect-error: JavaScript, as a user of the simulator may write it.
import myPicker from '../../examples/pickers/my-picker.js';
import { sameVersion } from '../../examples/pickers/same-version.js';
import { spareTheFailing } from '../../examples/pickers/spare-the-failing.js';
import { seededRandom } from '../../src/base/random.js';

describePicker('spare-the-failing', spareTheFailing(), { describe, it });
describePicker('last-latency', lastLatency, { describe, it });
describePicker('my-picker', myPicker, { describe, it });

const random = () => seededRandom(1);

describe('same-version', () => {
  it('prefers its version, and takes another when there is no room', () => {
    const set = new FakeCandidates(sameVersion('v2')({ random: random() }));
    const [old, mine] = [set.add({ metadata: { version: 'v1' } }), set.add({ metadata: { version: 'v2' } })];
    for (let i = 0; i < 20; i++) expect(set.pick()).toBe(mine);
    mine.limit = 20;
    expect(set.pick()).toBe(old);
  });
});

describe('spare-the-failing', () => {
  // #region fake-candidates
  it('spares who failed last, until it has answered or is a new one', () => {
    const set = new FakeCandidates(spareTheFailing()({ random: random() }));
    const [failing, well] = [set.add(), set.add()];
    failing.pending++;
    set.finish(failing, { code: 14 });
    for (let i = 0; i < 20; i++) expect(set.pick()).toBe(well);
    expect(set.pick({ exclude: new Set([well]) })).toBe(failing);
    set.finish(failing);
    const picked = new Set(Array.from({ length: 20 }, () => set.pick()));
    expect(picked.size).toBe(2);
  });
  // #endregion
});

describe('last-latency', () => {
  it('takes the one that was quicker last', () => {
    const set = new FakeCandidates(lastLatency({ random: random() }));
    const [slow, quick] = [set.add(), set.add()];
    for (const [candidate, latencyMs] of [
      [slow, 90],
      [quick, 10],
    ] as const) {
      candidate.pending++;
      set.finish(candidate, { code: 0, latencyMs });
    }
    for (let i = 0; i < 8; i++) expect(set.pick()).toBe(quick);
  });
});
