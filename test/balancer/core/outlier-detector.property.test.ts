import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { type EjectionChange, OutlierDetector } from '../../../src/balancer/core/outlier-detector.js';
import { outlierOptions } from '../../../src/balancer/core/outlier-options.js';
import { Status } from '../../../src/base/errors.js';

const row = fc.nat(6);
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reconnect' as const), row }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('gone' as const), row }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      row,
      times: fc.integer({ min: 1, max: 6 }),
      code: fc.constantFrom(
        Status.OK,
        Status.UNAVAILABLE,
        Status.UNAVAILABLE,
        Status.INTERNAL,
        Status.NOT_FOUND,
        Status.CANCELLED,
        Status.DEADLINE_EXCEEDED,
      ),
      latencyMs: fc.constantFrom(undefined, 1, 100, 5_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('look' as const),
      ageMs: fc.array(fc.option(fc.nat(5_000)), { minLength: 7, maxLength: 7 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('sweep' as const, 'probe' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 500, 10_000, 60_000) }),
  },
);

const given = fc.record({
  maxEjectionPercent: fc.constantFrom(0, 10, 34, 100),
  successRate: fc.constantFrom(false as const, { stdevFactor: 1, minimumHosts: 2, requestVolume: 3 }),
  failurePercentage: fc.constantFrom(false as const, { threshold: 50, minimumHosts: 2, requestVolume: 3 }),
  consecutiveFailures: fc.constantFrom(false as const, 1, 5),
});

describe('the outlier detector, whatever happens', () => {
  it('says each row out and back in turn, keeps within its caps, and lets everybody back in the end', () => {
    fc.assert(
      fc.property(given, fc.array(step, { maxLength: 80, size: 'max' }), (options, steps) => {
        const { maxEjectionPercent, baseEjectionMs, maxEjectionMs, ...rest } = outlierOptions(options);
        const detector = new OutlierDetector<number>({
          maxEjectionPercent,
          baseEjectionMs,
          maxEjectionMs,
          ...rest,
        });
        const hosts = new Set<number>();
        const out = new Map<number, number>();
        const probed = new Set<number>();
        let now = 0;

        const hear = (verdict: EjectionChange<number> | undefined) => {
          if (verdict === undefined) return;
          const { row } = verdict;
          assert(hosts.has(row), 'only who is there');
          if (verdict.kind === 'returned') {
            assert(out.delete(row), 'only who is out returns');
            probed.delete(row);
            return;
          }
          const { reason, forMs } = verdict;
          assert.equal(forMs % baseEjectionMs, 0);
          assert(forMs >= baseEjectionMs && forMs <= maxEjectionMs);
          if (reason === 'probe-failed')
            assert(out.has(row) && probed.delete(row), 'only a probe fails as one');
          else assert(!out.has(row), 'nobody is ejected twice');
          if (reason === 'consecutive-failures' || reason === 'hung')
            assert((out.size + 1) * 2 <= hosts.size);
          else if (reason !== 'probe-failed') assert((out.size / hosts.size) * 100 < maxEjectionPercent);
          out.set(row, now + forMs);
        };
        const sweep = () => {
          for (const verdict of detector.sweep(now)) hear(verdict);
        };
        const leave = (row: number) => {
          detector.removed(row);
          for (const of of [hosts, out, probed]) of.delete(row);
        };

        for (const step of steps) {
          switch (step.do) {
            case 'reconnect':
              leave(step.row);
              detector.added(step.row, now);
              hosts.add(step.row);
              break;
            case 'gone':
              leave(step.row);
              break;
            case 'end':
              for (let i = 0; i < step.times; i++) {
                const { code, latencyMs } = step;
                hear(detector.finished(step.row, { code, ...(latencyMs && { latencyMs }) }, () => 100, now));
                // Given back: the next call may be the probe.
                const answers =
                  code !== Status.CANCELLED && (code !== Status.DEADLINE_EXCEEDED || latencyMs! >= 100);
                if (latencyMs === undefined || !answers) probed.delete(step.row);
              }
              break;
            case 'look':
              for (const verdict of detector.checkHung(
                (row) => {
                  const age = step.ageMs[row];
                  return age === null || age === undefined ? [] : [{ startedAt: now - age }];
                },
                () => 100,
                now,
              ))
                hear(verdict);
              break;
            case 'probe': {
              const due = detector.due(now);
              const whoMay = [...out].filter(([row, until]) => until <= now && !probed.has(row));
              assert.equal(
                due !== undefined,
                whoMay.length > 0,
                'due are those whose time is over, but for the probed',
              );
              if (due === undefined) break;
              assert(whoMay.some(([row]) => row === due));
              detector.probing(due, now);
              probed.add(due);
              break;
            }
            case 'sweep':
              sweep();
              break;
            case 'wait':
              now += step.ms;
          }
        }
        // What was counted in the last interval may eject at its end; with nothing after it, they come back as well.
        sweep();
        now += maxEjectionMs + 5_000;
        sweep();
        assert.deepEqual([...out], []);
      }),
    );
  });
});
