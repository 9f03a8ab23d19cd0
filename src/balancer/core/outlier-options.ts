import { numberOption, objectOption } from '../../base/options.js';

/** When an endpoint is taken out for a while because it fails. Durations in milliseconds. */
export interface OutlierOptions {
  /** How often success rates and failure percentages are compared. Default 10,000. */
  readonly intervalMs: number;
  /** An ejection lasts this long times how often the endpoint was ejected. Default 30,000. */
  readonly baseEjectionMs: number;
  /** But no longer than this. Default 300,000. */
  readonly maxEjectionMs: number;
  /** Most of the endpoints, in per cent, that the comparisons eject; one at least, unless it is 0. Default 10. */
  readonly maxEjectionPercent: number;
  /**
   * Ejects an endpoint whose success rate is so many standard deviations below the mean, where at least `minimumHosts` had
   * `requestVolume` calls in the interval. Default 1.9, 5, 100.
   */
  readonly successRate:
    | { readonly stdevFactor: number; readonly minimumHosts: number; readonly requestVolume: number }
    | false;
  /** Ejects an endpoint of whose calls more than `threshold` per cent failed. Default 85, 5, 50. */
  readonly failurePercentage:
    | { readonly threshold: number; readonly minimumHosts: number; readonly requestVolume: number }
    | false;
  /** Ejects an endpoint at so many failures in a row, at most half of all. Default 5. */
  readonly consecutiveFailures: number | false;
  /**
   * Ejects an endpoint that has answered nothing since a call began that is `factor` times older than the fleet's p99, and
   * `leastMs` old, at most half of all. Default 10 and 250.
   */
  readonly hung: { readonly factor: number; readonly leastMs: number } | false;
}

/** gRFC A50's defaults; the last two are for fleets too small for its statistics (Finagle's failure accrual has 5). */
export const OUTLIER_DEFAULTS: OutlierOptions = {
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 10,
  successRate: { stdevFactor: 1.9, minimumHosts: 5, requestVolume: 100 },
  failurePercentage: { threshold: 85, minimumHosts: 5, requestVolume: 50 },
  consecutiveFailures: 5,
  hung: { factor: 10, leastMs: 250 },
};

const NAMES: Record<keyof OutlierOptions, true> = {
  intervalMs: true,
  baseEjectionMs: true,
  maxEjectionMs: true,
  maxEjectionPercent: true,
  successRate: true,
  failurePercentage: true,
  consecutiveFailures: true,
  hung: true,
};

/**
 * The defaults, with what is given over them.
 *
 * @throws BalancerError INVALID_OPTION.
 */
export function outlierOptions(given: Partial<OutlierOptions> = {}): OutlierOptions {
  objectOption('outlierDetection', given, NAMES);
  const options = { ...OUTLIER_DEFAULTS, ...defined(given) };
  const { successRate, failurePercentage, consecutiveFailures, hung } = options;
  const positive = (name: string, value: number, integer = false) =>
    numberOption(`outlierDetection.${name}`, value, { min: 1, integer });
  positive('intervalMs', options.intervalMs);
  positive('baseEjectionMs', options.baseEjectionMs);
  positive('maxEjectionMs', options.maxEjectionMs);
  numberOption('outlierDetection.maxEjectionPercent', options.maxEjectionPercent, { min: 0, max: 100 });
  const comparison = { minimumHosts: true, requestVolume: true } as const;
  if (successRate !== false) {
    objectOption('outlierDetection.successRate', successRate, { ...comparison, stdevFactor: true });
    numberOption('outlierDetection.successRate.stdevFactor', successRate.stdevFactor, { min: 0 });
    positive('successRate.minimumHosts', successRate.minimumHosts, true);
    positive('successRate.requestVolume', successRate.requestVolume, true);
  }
  if (failurePercentage !== false) {
    objectOption('outlierDetection.failurePercentage', failurePercentage, { ...comparison, threshold: true });
    numberOption('outlierDetection.failurePercentage.threshold', failurePercentage.threshold, {
      min: 0,
      max: 100,
    });
    positive('failurePercentage.minimumHosts', failurePercentage.minimumHosts, true);
    positive('failurePercentage.requestVolume', failurePercentage.requestVolume, true);
  }
  if (consecutiveFailures !== false) positive('consecutiveFailures', consecutiveFailures, true);
  if (hung !== false) {
    objectOption('outlierDetection.hung', hung, { factor: true, leastMs: true });
    positive('hung.factor', hung.factor);
    numberOption('outlierDetection.hung.leastMs', hung.leastMs, { min: 0 });
  }
  return options;
}

/** Without what is undefined: that says nothing, and must not take a default's place. */
function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
}
