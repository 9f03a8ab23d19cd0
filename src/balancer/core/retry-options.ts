import type { Backoff } from '../../base/backoff.js';
import { BalancerError, Status } from '../../base/errors.js';
import { numberOption, objectOption } from '../../base/options.js';

/** The name of a gRPC status code, or its number. */
export type StatusCode = keyof typeof Status | number;

/** When a call that may have reached a server is made again. */
export interface RetryOptions {
  /** Most attempts of a call, the first included; an integer of 2 or more. Default 3. */
  readonly maxAttempts?: number;
  /**
   * The status codes to try again after. Default `['UNAVAILABLE', 'CANCELLED']`: the latter is what a server says that is
   * stopped, of the calls that it has. A call that its own caller cancels is never tried again.
   */
  readonly codes?: readonly StatusCode[];
  /** How long one attempt may take, in milliseconds; one that takes longer is tried again. Default: no limit. */
  readonly perAttemptTimeoutMs?: number;
  /** Full jitter under `baseMs x 2^n`, at most `maxMs`. Default 25 and 1,000. A server's pushback goes before it. */
  readonly backoff?: Partial<Backoff>;
}

/** A second attempt before the first has failed, for calls that a server may see twice. */
export interface HedgeOptions {
  /** How long to wait for a response: milliseconds, or the pool's measured 95th percentile. Default `'p95'`. */
  readonly delayMs?: number | 'p95';
}

/** A {@link RetryOptions} with its defaults, ready for use. */
export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly codes: ReadonlySet<number>;
  readonly perAttemptTimeoutMs: number;
  readonly backoff: Backoff;
}

/**
 * Checks the options and fills in what is left out.
 *
 * @throws {@link BalancerError} INVALID_OPTION.
 */
export function retryPolicy(options: RetryOptions): RetryPolicy {
  objectOption('retry', options, {
    maxAttempts: true,
    codes: true,
    perAttemptTimeoutMs: true,
    backoff: true,
  });
  const {
    maxAttempts = 3,
    codes = ['UNAVAILABLE', 'CANCELLED'],
    perAttemptTimeoutMs = Number.POSITIVE_INFINITY,
  } = options;
  const given = objectOption<Partial<Backoff>>('retry.backoff', options.backoff ?? {}, {
    baseMs: true,
    maxMs: true,
  });
  const { baseMs = 25, maxMs = 1_000 } = given;
  if (!Array.isArray(codes)) {
    throw new BalancerError(
      'INVALID_OPTION',
      `retry.codes is ${typeof codes}, and must be an array of status codes`,
    );
  }
  return {
    maxAttempts: numberOption('retry.maxAttempts', maxAttempts, { min: 2, integer: true }),
    codes: new Set(codes.map(statusCode)),
    perAttemptTimeoutMs: numberOption('retry.perAttemptTimeoutMs', perAttemptTimeoutMs, {
      min: 1,
      max: Number.POSITIVE_INFINITY,
    }),
    backoff: {
      baseMs: numberOption('retry.backoff.baseMs', baseMs, { min: 0 }),
      maxMs: numberOption('retry.backoff.maxMs', maxMs, { min: 0 }),
    },
  };
}

function statusCode(code: StatusCode): number {
  const number = typeof code === 'string' && Object.hasOwn(Status, code) ? Status[code] : code;
  if (typeof number === 'number' && number >= 1 && number <= 16 && Number.isInteger(number)) return number;
  const names = Object.keys(Status).slice(1).join(', ');
  throw new BalancerError(
    'INVALID_OPTION',
    `retry.codes has ${JSON.stringify(code)}, which is none of ${names}`,
  );
}
