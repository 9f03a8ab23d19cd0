import { describe, expect, it } from 'vitest';
import {
  OUTLIER_DEFAULTS,
  type OutlierOptions,
  outlierOptions,
} from '../../../src/balancer/core/outlier-options.js';

const rates = { stdevFactor: 1.9, minimumHosts: 5, requestVolume: 100 };
const percentages = { threshold: 85, minimumHosts: 5, requestVolume: 50 };

describe('outlierOptions', () => {
  it('are the defaults, with what is given over them', () => {
    expect(outlierOptions()).toEqual(OUTLIER_DEFAULTS);
    expect(outlierOptions({ intervalMs: 1, hung: false })).toEqual({
      ...OUTLIER_DEFAULTS,
      intervalMs: 1,
      hung: false,
    });
    const off = {
      successRate: false,
      failurePercentage: false,
      consecutiveFailures: false,
      hung: false,
    } as const;
    expect(outlierOptions(off)).toEqual({ ...OUTLIER_DEFAULTS, ...off });
  });

  it('take what is just in range', () => {
    const given: Partial<OutlierOptions> = {
      ...{
        intervalMs: 1,
        baseEjectionMs: 1,
        maxEjectionMs: 1,
        maxEjectionPercent: 0,
        consecutiveFailures: 1,
      },
      successRate: { stdevFactor: 0, minimumHosts: 1, requestVolume: 1 },
      failurePercentage: { threshold: 100, minimumHosts: 1, requestVolume: 1 },
      hung: { factor: 1, leastMs: 0 },
    };
    expect(outlierOptions(given)).toEqual(given);
  });

  it.each<[Partial<OutlierOptions>, string]>([
    [{ intervalMs: 0 }, 'intervalMs is 0,'],
    [{ baseEjectionMs: 0 }, 'baseEjectionMs is 0,'],
    [{ maxEjectionMs: 0 }, 'maxEjectionMs is 0,'],
    [{ maxEjectionPercent: 101 }, 'maxEjectionPercent is 101, and must be a number from 0 to 100'],
    [{ maxEjectionPercent: -1 }, 'maxEjectionPercent is -1,'],
    [{ successRate: { ...rates, stdevFactor: -1 } }, 'successRate.stdevFactor is -1,'],
    [
      { successRate: { ...rates, minimumHosts: 0.5 } },
      'successRate.minimumHosts is 0.5, and must be an integer',
    ],
    [
      { successRate: { ...rates, requestVolume: 1.5 } },
      'successRate.requestVolume is 1.5, and must be an integer',
    ],
    [{ failurePercentage: { ...percentages, threshold: 101 } }, 'failurePercentage.threshold is 101,'],
    [{ failurePercentage: { ...percentages, threshold: -1 } }, 'failurePercentage.threshold is -1,'],
    [{ failurePercentage: { ...percentages, minimumHosts: 1.5 } }, 'failurePercentage.minimumHosts is 1.5,'],
    [{ failurePercentage: { ...percentages, requestVolume: 0 } }, 'failurePercentage.requestVolume is 0,'],
    [{ consecutiveFailures: 1.5 }, 'consecutiveFailures is 1.5, and must be an integer of 1 or more'],
    [{ hung: { factor: 0, leastMs: 1 } }, 'hung.factor is 0,'],
    [{ hung: { factor: 1, leastMs: -1 } }, 'hung.leastMs is -1,'],
  ])('refuse %j', (given, message) => {
    expect(() => outlierOptions(given)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringContaining(`outlierDetection.${message}`),
      }),
    );
  });
});
