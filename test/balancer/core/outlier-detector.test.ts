import { describe, expect, it } from 'vitest';
import { type EjectionChange, OutlierDetector } from '../../../src/balancer/core/outlier-detector.js';
import { type OutlierOptions, outlierOptions } from '../../../src/balancer/core/outlier-options.js';
import { Status } from '../../../src/base/errors.js';
import { seededRandom } from '../../../src/base/random.js';

const OFF = {
  successRate: false,
  failurePercentage: false,
  consecutiveFailures: false,
  hung: false,
} as const;
const RATES = { ...OFF, successRate: { stdevFactor: 1.9, minimumHosts: 5, requestVolume: 100 } };
const PERCENTAGE = { ...OFF, failurePercentage: { threshold: 85, minimumHosts: 5, requestVolume: 50 } };
const CONSECUTIVE = { ...OFF, consecutiveFailures: 5 };
const HUNG = { ...OFF, hung: { factor: 10, leastMs: 250 } };

/** Rows a, b, c, ... of a detector, and what it has decided: `a out: hung for 30000`, `a back`. */
class Fleet {
  now = 0;
  p99: number | undefined = 100;
  readonly detector: OutlierDetector<string>;
  readonly said: string[] = [];
  readonly rows: readonly string[];

  constructor(size: number, options: Partial<OutlierOptions>) {
    this.detector = new OutlierDetector(outlierOptions(options));
    this.rows = Array.from({ length: size }, (_, i) => String.fromCharCode(97 + i));
    for (const row of this.rows) this.detector.added(row, 0);
  }

  calls(row: string, succeed: number, fail = 0): void {
    for (let i = 0; i < succeed; i++) this.ends(row, Status.OK);
    for (let i = 0; i < fail; i++) this.ends(row, Status.UNAVAILABLE);
  }

  ends(row: string, code: number, latencyMs = 10, blameless?: boolean): void {
    this.say(this.detector.finished(row, { code, latencyMs, blameless }, () => this.p99, this.now));
  }

  /** A call that was picked and never used. */
  unused(row: string): void {
    this.say(this.detector.finished(row, { code: Status.UNAVAILABLE }, () => this.p99, this.now));
  }

  /** Looks at what hangs: when the oldest call of each row began. */
  look(began: Readonly<Record<string, number>>): void {
    const unanswered = (row: string) => (began[row] === undefined ? [] : [{ startedAt: began[row] }]);
    for (const change of this.detector.checkHung(unanswered, () => this.p99, this.now)) this.say(change);
  }

  /** The next call: it probes whoever is due. */
  probe(): string | undefined {
    const row = this.detector.due(this.now);
    if (row !== undefined) this.detector.probing(row, this.now);
    return row;
  }

  sweep(afterMs = 10_000): void {
    this.now += afterMs;
    for (const verdict of this.detector.sweep(this.now)) this.say(verdict);
  }

  /** What was decided since it was last asked. */
  get news(): string[] {
    return this.said.splice(0);
  }

  private say(verdict: EjectionChange<string> | undefined): void {
    if (verdict === undefined) return;
    const { row } = verdict;
    this.said.push(
      verdict.kind === 'ejected' ? `${row} out: ${verdict.reason} for ${verdict.forMs}` : `${row} back`,
    );
  }
}

describe('success rate (gRFC A50)', () => {
  it('ejects who is more than 1.9 standard deviations, of the population, below the mean', () => {
    // Of 1, 1, 1, 1, r: mean 0.8 + 0.2 r, deviation 0.4 (1 - r); r is 2 of them below, whatever r is. Of a sample: 1.79.
    const f = new Fleet(5, RATES);
    for (const row of 'abcd') f.calls(row, 100);
    f.calls('e', 90, 10);
    f.sweep();
    expect(f.news).toEqual(['e out: success-rate for 30000']);
  });

  it('follows the factor', () => {
    const f = new Fleet(5, { ...RATES, successRate: { ...RATES.successRate, stdevFactor: 2.1 } });
    for (const row of 'abcd') f.calls(row, 100);
    f.calls('e', 0, 100);
    f.sweep();
    expect(f.news).toEqual([]);
  });

  it('ejects nobody where two of five fail, by the default factor, and one of them by a factor of 1', () => {
    // Mean 0.6, deviation 0.49: required are -0.33 and 0.11.
    for (const [stdevFactor, out] of [
      [1.9, []],
      [1, ['d out: success-rate for 30000']],
    ] as const) {
      const f = new Fleet(5, { ...RATES, successRate: { ...RATES.successRate, stdevFactor } });
      for (const row of 'abc') f.calls(row, 100);
      for (const row of 'de') f.calls(row, 0, 100);
      f.sweep();
      expect(f.news).toEqual(out);
    }
  });

  it.each([
    ['too few hosts', 4, 100],
    ['too few calls on one of them', 5, 99],
  ])('ejects nobody where there are %s', (_, hosts, calls) => {
    const f = new Fleet(hosts, RATES);
    for (const row of f.rows.slice(1)) f.calls(row, 100);
    f.calls('a', 0, calls);
    f.sweep();
    expect(f.news).toEqual([]);
  });

  it('counts anew in each interval', () => {
    const f = new Fleet(5, RATES);
    for (const calls of [60, 60]) {
      for (const row of 'abcd') f.calls(row, calls);
      f.calls('e', 0, calls);
      f.sweep();
    }
    expect(f.news).toEqual([]);
  });
});

describe('failure percentage (gRFC A50)', () => {
  it.each([
    [7, 43, ['a out: failure-percentage for 30000']],
    [15, 85, []],
    [14, 86, ['a out: failure-percentage for 30000']],
    [0, 49, []],
  ])('of %i that succeed and %i that fail', (succeed, fail, news) => {
    const f = new Fleet(5, PERCENTAGE);
    for (const row of 'bcde') f.calls(row, 50);
    f.calls('a', succeed, fail);
    f.sweep();
    expect(f.news).toEqual(news);
  });

  it('is compared where enough hosts had calls enough', () => {
    const f = new Fleet(5, PERCENTAGE);
    for (const row of 'bcd') f.calls(row, 50);
    f.calls('e', 49);
    f.calls('a', 0, 50);
    f.sweep();
    expect(f.news).toEqual([]);
  });
});

describe('how many are compared out', () => {
  it.each([
    [5, 10, 1, 2],
    [10, 10, 1, 4],
    [11, 10, 2, 5],
    [20, 25, 5, 9],
    [20, 100, 9, 9],
    [20, 0, 0, 9],
  ])('of %i at %i %%: %i, where %i fail', (hosts, maxEjectionPercent, out, failing) => {
    const f = new Fleet(hosts, { ...PERCENTAGE, maxEjectionPercent });
    for (const row of f.rows.slice(0, failing)) f.calls(row, 0, 50);
    for (const row of f.rows.slice(failing)) f.calls(row, 50);
    f.sweep();
    expect(f.news.length).toBe(out);
    f.sweep(1);
    expect(f.news).toEqual([]);
  });

  it('counts those that are out for another reason', () => {
    const f = new Fleet(6, { ...PERCENTAGE, consecutiveFailures: 60 });
    f.calls('a', 0, 60);
    for (const row of 'cdef') f.calls(row, 50);
    f.calls('b', 0, 50);
    f.sweep();
    expect(f.news).toEqual(['a out: consecutive-failures for 30000']);
  });
});

describe('how long it is out', () => {
  const eject = (f: Fleet) => f.calls('a', 0, 5);
  const comeBack = (f: Fleet, afterMs: number) => {
    f.now += afterMs;
    expect(f.probe()).toBe('a');
    f.calls('a', 1);
  };

  it('grows by the base time with each ejection, to its most', () => {
    const f = new Fleet(2, { ...CONSECUTIVE, maxEjectionMs: 100_000 });
    for (const forMs of [30_000, 60_000, 90_000, 100_000, 100_000]) {
      eject(f);
      expect(f.news).toEqual([`a out: consecutive-failures for ${forMs}`]);
      comeBack(f, forMs);
      expect(f.news).toEqual(['a back']);
    }
  });

  it('is the base time at the least, though the most were less', () => {
    const f = new Fleet(2, { ...CONSECUTIVE, maxEjectionMs: 1_000 });
    eject(f);
    expect(f.news).toEqual(['a out: consecutive-failures for 30000']);
  });

  it('shrinks by one with each interval that it is in', () => {
    const f = new Fleet(2, CONSECUTIVE);
    eject(f);
    f.sweep();
    comeBack(f, 20_000);
    eject(f);
    expect(f.news).toEqual([
      'a out: consecutive-failures for 30000',
      'a back',
      'a out: consecutive-failures for 60000',
    ]);
    comeBack(f, 60_000);
    f.sweep();
    f.sweep();
    f.sweep();
    eject(f);
    expect(f.news).toEqual(['a back', 'a out: consecutive-failures for 30000']);
  });

  it('starts anew with a new connection', () => {
    const f = new Fleet(2, CONSECUTIVE);
    eject(f);
    f.detector.removed('a');
    expect(f.detector.due(1e9)).toBeUndefined();
    f.detector.added('a', f.now);
    f.calls('a', 0, 4);
    expect(f.news).toEqual(['a out: consecutive-failures for 30000']);
    f.calls('a', 0, 1);
    expect(f.news).toEqual(['a out: consecutive-failures for 30000']);
  });

  it('means nothing to calls of a connection that is gone', () => {
    const f = new Fleet(2, CONSECUTIVE);
    f.detector.removed('a');
    eject(f);
    f.detector.probing('a', 0);
    expect(f.news).toEqual([]);
  });
});

describe('failures in a row', () => {
  it('are five, with no success between', () => {
    const f = new Fleet(2, CONSECUTIVE);
    f.calls('a', 0, 4);
    f.calls('a', 1);
    f.calls('a', 0, 4);
    expect(f.news).toEqual([]);
    f.calls('a', 0, 1);
    expect(f.news).toEqual(['a out: consecutive-failures for 30000']);
    f.calls('a', 0, 9);
    expect(f.news).toEqual([]);
  });

  it.each([
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
    [5, 2],
  ])('put of %i at most %i out', (hosts, out) => {
    const f = new Fleet(hosts, CONSECUTIVE);
    for (const row of f.rows) f.calls(row, 0, 10);
    expect(f.news.length).toBe(out);
  });

  it('do not matter when switched off', () => {
    const f = new Fleet(4, OFF);
    for (const row of f.rows) f.calls(row, 0, 1_000);
    f.sweep();
    f.now = 1e6;
    f.look({ a: 0 });
    expect(f.news).toEqual([]);
  });
});

describe('what counts as a failure', () => {
  const { OK, CANCELLED, DEADLINE_EXCEEDED, ...others } = Status;

  it.each([...Object.entries(others), ['what is no code', 17]] as const)('%s, five times', (_, code) => {
    const f = new Fleet(6, CONSECUTIVE);
    for (let i = 0; i < 4; i++) f.ends('a', code);
    f.calls('a', 1);
    for (let i = 0; i < 4; i++) f.ends('a', code);
    expect(f.news).toEqual([]);
    f.ends('a', code);
    expect(f.news).toEqual(['a out: consecutive-failures for 30000']);
  });

  it.each([...Object.entries(others), ['what is no code', 17]] as const)(
    '%s, but not where all answer so',
    (_, code) => {
      for (const share of [0.1, 0.5, 0.9, 1]) {
        const random = seededRandom(1);
        const f = new Fleet(6, { ...outlierOptions(), hung: false });
        for (let call = 0; call < 60_000; call++) {
          const row = f.rows[random(6)]!;
          if (random(1_000) < share * 1_000) f.ends(row, code);
          else f.calls(row, 1);
          if (call % 10_000 === 9_999) f.sweep();
        }
        expect(f.news, `at ${share}`).toEqual([]);
      }
    },
  );

  it('nor what all begin to answer', () => {
    for (const share of [0.1, 0.3, 0.5, 0.8, 1]) {
      for (let seed = 0; seed < 40; seed++) {
        const random = seededRandom(seed);
        const f = new Fleet(5, { ...outlierOptions(), hung: false });
        for (let call = 0; call < 4_000; call++) {
          const row = f.rows[call % 5]!;
          if (call >= 2_000 && random(1_000) < share * 1_000) f.ends(row, Status.NOT_FOUND);
          else f.calls(row, 1);
        }
        expect(f.news, `at ${share}, seed ${seed}`).toEqual([]);
      }
    }
  });

  it('nor what all begin to answer, where one of them is called far more', () => {
    const random = seededRandom(1);
    const f = new Fleet(5, { ...outlierOptions(), hung: false });
    for (const row of f.rows) f.calls(row, 400);
    for (let call = 0; call < 2_000; call++)
      f.ends(f.rows[random(10) < 4 ? 0 : 1 + random(4)]!, Status.NOT_FOUND);
    expect(f.news).toEqual([]);
  });

  it('refusals put a tenth of the fleet out at most: one missing record may go round', () => {
    const f = new Fleet(10, CONSECUTIVE);
    for (const row of f.rows) f.calls(row, 10);
    for (const row of ['a', 'b', 'c']) for (let i = 0; i < 5; i++) f.ends(row, Status.NOT_FOUND);
    expect(f.news).toEqual(['a out: consecutive-failures for 30000']);
  });

  it('a CANCELLED that the server sent, and nothing that is blameless', () => {
    const f = new Fleet(2, CONSECUTIVE);
    for (let i = 0; i < 9; i++) f.ends('a', Status.INTERNAL, 10, true);
    expect(f.news).toEqual([]);
    for (let i = 0; i < 5; i++) f.ends('a', CANCELLED, 10, false);
    expect(f.news).toEqual(['a out: consecutive-failures for 30000']);
  });

  it('nothing of calls that began before this process stood still', () => {
    const f = new Fleet(4, { ...CONSECUTIVE, hung: HUNG.hung });
    f.now = 10_000;
    f.detector.stoodStill(f.now);
    for (const row of ['a', 'b']) for (let i = 0; i < 9; i++) f.ends(row, DEADLINE_EXCEEDED, 5_000);
    f.calls('c', 1);
    f.now += 999;
    f.calls('c', 1);
    f.look({ a: 9_000 });
    expect(f.news).toEqual([]);
    f.now += 1;
    f.look({ a: 9_000 });
    expect(f.news).toEqual(['a out: hung for 30000']);
    for (let i = 0; i < 5; i++) f.ends('b', DEADLINE_EXCEEDED, 999);
    expect(f.news).toEqual(['b out: consecutive-failures for 30000']);
  });

  it('a deadline only where the server had as long as 99 % of calls take', () => {
    for (const [latencyMs, p99, out] of [
      [100, 100, 1],
      [99, 100, 0],
      [1e6, undefined, 0],
    ] as const) {
      const f = new Fleet(2, CONSECUTIVE);
      f.p99 = p99;
      for (let i = 0; i < 5; i++) f.ends('a', DEADLINE_EXCEEDED, latencyMs);
      expect(f.news.length, `${latencyMs} ms of ${p99}`).toBe(out);
    }
  });

  it.each([
    ['a cancellation', (f: Fleet) => f.ends('a', CANCELLED, 1e6)],
    ['a short deadline', (f: Fleet) => f.ends('a', DEADLINE_EXCEEDED, 1)],
    ['a call that was never sent', (f: Fleet) => f.unused('a')],
  ])('%s is neither a failure nor a success', (_, end) => {
    const f = new Fleet(5, { ...PERCENTAGE, consecutiveFailures: 5 });
    for (let i = 0; i < 100; i++) end(f);
    f.calls('a', 0, 4);
    end(f);
    expect(f.news).toEqual([]);
    f.ends('a', Status.UNAVAILABLE);
    expect(f.news).toEqual(['a out: consecutive-failures for 30000']);
  });
});

describe('a hung server', () => {
  it('has answered nothing since a call began that is ten times older than the p99, while others answered', () => {
    const f = new Fleet(4, HUNG);
    f.now = 1_000;
    f.calls('b', 1);
    f.look({ a: 1 });
    expect(f.news).toEqual([]);
    f.look({ a: 0 });
    expect(f.news).toEqual(['a out: hung for 30000']);
    f.look({ a: 0 });
    expect(f.news).toEqual([]);
  });

  it('is not one that answers others meanwhile, nor one without calls', () => {
    const f = new Fleet(4, HUNG);
    f.now = 500;
    f.calls('a', 1);
    f.ends('b', Status.UNAVAILABLE);
    f.now = 100_000;
    f.calls('c', 1);
    f.look({ a: 499, b: 499 });
    expect(f.news).toEqual([]);
  });

  it('answers by an error too, but not by a deadline or a cancellation', () => {
    const f = new Fleet(4, HUNG);
    f.now = 1_000;
    f.calls('b', 1);
    f.ends('c', Status.INTERNAL);
    f.ends('a', Status.DEADLINE_EXCEEDED, 999);
    f.ends('a', Status.CANCELLED, 999);
    f.look({ a: 0, c: 0 });
    expect(f.news).toEqual(['a out: hung for 30000']);
  });

  it('is told from a fleet that hangs, or a client', () => {
    const f = new Fleet(4, HUNG);
    f.now = 1_000;
    f.look({ a: 0, b: 0, c: 0 });
    expect(f.news).toEqual([]);
    f.calls('d', 1);
    f.now = 2_000;
    f.look({ a: 0, b: 0, c: 0 });
    expect(f.news).toEqual([]);
  });

  it('is not sought while too few latencies are known, nor under the least time', () => {
    const f = new Fleet(2, HUNG);
    f.now = 1e6;
    f.p99 = undefined;
    f.calls('b', 1);
    f.look({ a: 0 });
    f.p99 = 1;
    f.look({ a: f.now - 249 });
    expect(f.news).toEqual([]);
    f.look({ a: f.now - 250 });
    expect(f.news).toEqual(['a out: hung for 30000']);
  });

  it.each([
    [1, 0],
    [3, 1],
    [4, 2],
    [5, 2],
  ])('of %i at most %i are out', (hosts, out) => {
    const f = new Fleet(hosts, HUNG);
    f.now = 1_000;
    f.calls(f.rows.at(-1)!, 1);
    f.look(Object.fromEntries(f.rows.map((row) => [row, 0])));
    expect(f.news.length).toBe(out);
  });

  it('returns when it answers, whoever it was that was answered', () => {
    const f = new Fleet(2, HUNG);
    f.now = 1_000;
    f.calls('b', 1);
    f.look({ a: 0 });
    f.ends('a', Status.UNAVAILABLE);
    f.ends('a', Status.CANCELLED);
    expect(f.news).toEqual(['a out: hung for 30000']);
    f.ends('a', Status.NOT_FOUND);
    expect(f.news).toEqual(['a back']);
    expect(f.detector.due(1e9)).toBeUndefined();
  });
});

describe('a probe', () => {
  const ejected = (hosts = 2) => {
    const f = new Fleet(hosts, CONSECUTIVE);
    f.calls('a', 0, 5);
    f.said.length = 0;
    return f;
  };

  it('is one call, once the time is over', () => {
    const f = ejected();
    f.now = 29_999;
    expect(f.probe()).toBeUndefined();
    f.now = 30_000;
    expect(f.detector.due(f.now)).toBe('a');
    expect(f.probe()).toBe('a');
    expect(f.probe()).toBeUndefined();
    f.calls('a', 1);
    expect(f.news).toEqual(['a back']);
    expect(f.probe()).toBeUndefined();
  });

  it('that succeeds is what it needs: an answer to an earlier call is not', () => {
    const f = ejected();
    f.calls('a', 1);
    expect(f.news).toEqual([]);
    f.now = 30_000;
    expect(f.probe()).toBe('a');
  });

  it('that fails keeps it out, for longer', () => {
    const f = ejected();
    f.now = 30_000;
    f.probe();
    f.calls('a', 0, 1);
    expect(f.news).toEqual(['a out: probe-failed for 60000']);
    f.now = 89_999;
    expect(f.probe()).toBeUndefined();
    f.now = 90_000;
    expect(f.probe()).toBe('a');
  });

  it.each([
    ['was never sent', (f: Fleet) => f.unused('a')],
    ['was cancelled', (f: Fleet) => f.ends('a', Status.CANCELLED)],
    ['had too short a deadline', (f: Fleet) => f.ends('a', Status.DEADLINE_EXCEEDED, 1)],
  ])('that %s is given back to the next call', (_, end) => {
    const f = ejected();
    f.now = 30_000;
    f.probe();
    // Others are called meanwhile, and find nobody due.
    expect(f.probe()).toBeUndefined();
    end(f);
    expect(f.probe()).toBe('a');
    f.calls('a', 1);
    expect(f.news).toEqual(['a back']);
  });

  it('goes to each that is due, one after the other', () => {
    const f = ejected(4);
    f.now = 1_000;
    f.calls('b', 0, 5);
    f.now = 30_000;
    expect([f.probe(), f.probe()]).toEqual(['a', undefined]);
    f.now = 31_000;
    expect([f.probe(), f.probe()]).toEqual(['b', undefined]);
  });

  it('goes to the next that is due where the first may not be probed', () => {
    const f = ejected(4);
    f.calls('b', 0, 5);
    f.now = 30_000;
    expect(f.detector.due(f.now, (row) => row !== 'a')).toBe('b');
    expect(f.detector.due(f.now, () => false)).toBeUndefined();
    expect(f.detector.due(f.now)).toBe('a');
  });

  it('is not waited for for longer than five seconds; one failure then puts it out again', () => {
    const f = ejected();
    f.sweep(34_999);
    expect(f.news).toEqual([]);
    f.sweep(1);
    expect(f.news).toEqual(['a back']);
    f.calls('a', 0, 1);
    expect(f.news).toEqual([expect.stringMatching(/^a out: consecutive-failures/)]);
  });

  it('that takes longer than five seconds, a stream say, is not waited for either', () => {
    const f = ejected();
    f.sweep(34_999);
    expect(f.probe()).toBe('a');
    f.sweep(4_999);
    expect(f.news).toEqual([]);
    f.sweep(1);
    expect(f.news).toEqual(['a back']);
    expect(f.probe()).toBeUndefined();
    f.calls('a', 0, 1);
    expect(f.news).toEqual([expect.stringMatching(/^a out: consecutive-failures/)]);
  });

  it('that hangs has its row taken out again at the next look', () => {
    const f = new Fleet(2, { ...CONSECUTIVE, hung: HUNG.hung });
    f.calls('a', 0, 5);
    f.now = 30_000;
    f.probe();
    f.sweep(5_000);
    f.calls('b', 1);
    f.look({ a: 30_000 });
    expect(f.news.slice(1)).toEqual(['a back', 'a out: hung for 60000']);
  });

  it('that was waited for in vain counts as nothing once a call succeeded', () => {
    const f = ejected();
    f.sweep(40_000);
    f.calls('a', 1);
    f.calls('a', 0, 4);
    expect(f.news).toEqual(['a back']);
  });
});

describe('options', () => {
  it('are those of gRFC A50 by default, with what is given over them', () => {
    expect(outlierOptions({ intervalMs: 1_000, hung: false })).toEqual({
      intervalMs: 1_000,
      baseEjectionMs: 30_000,
      maxEjectionMs: 300_000,
      maxEjectionPercent: 10,
      successRate: { stdevFactor: 1.9, minimumHosts: 5, requestVolume: 100 },
      failurePercentage: { threshold: 85, minimumHosts: 5, requestVolume: 50 },
      consecutiveFailures: 5,
      hung: false,
    });
  });

  it.each([
    [{ intervalMs: 0 }, 'outlierDetection.intervalMs is 0, and must be a number of 1 or more'],
    [
      { maxEjectionPercent: 101 },
      'outlierDetection.maxEjectionPercent is 101, and must be a number from 0 to 100',
    ],
    [
      { consecutiveFailures: 1.5 },
      'outlierDetection.consecutiveFailures is 1.5, and must be an integer of 1 or more',
    ],
    [
      { successRate: { ...RATES.successRate, minimumHosts: 0 } },
      'outlierDetection.successRate.minimumHosts is 0, and must be an integer of 1 or more',
    ],
    [
      { failurePercentage: { ...PERCENTAGE.failurePercentage, threshold: -1 } },
      'outlierDetection.failurePercentage.threshold is -1, and must be a number from 0 to 100',
    ],
    [
      { hung: { factor: 0.5, leastMs: 0 } },
      'outlierDetection.hung.factor is 0.5, and must be a number of 1 or more',
    ],
  ])('%j are refused', (given, message) => {
    expect(() => outlierOptions(given)).toThrow(message);
  });
});
