import type { Backoff } from '../../base/backoff.js';
import { BalancerError, Status } from '../../base/errors.js';
import { numberOption } from '../../base/options.js';

/** The name of a gRPC status code, or its number. */
export type StatusCode = keyof typeof Status | number;

/** When a call that may have reached a server is made again. */
export interface RetryOptions {
  /** Most attempts of a call, the first included; an integer of 2 or more. Default 3. */
  readonly maxAttempts?: number;
  /** The status codes to try again after. Default `['UNAVAILABLE']`. */
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

/** What is declared of a method, or of all of a service. */
export interface MethodOptions {
  /** The call may be made twice with the effect of one: it is retried by default. `false` overrides the proto. */
  readonly idempotent?: boolean;
  /** `false`: never, though the pool retries. */
  readonly retry?: RetryOptions | false;
  /** For unary methods that are idempotent; of a service, for those of its methods that are unary. */
  readonly hedge?: HedgeOptions;
  /** The deadline of a call that brings none, in milliseconds from its start. */
  readonly timeoutMs?: number;
}

/** A {@link RetryOptions} with its defaults, ready for use. */
export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly codes: ReadonlySet<number>;
  readonly perAttemptTimeoutMs: number;
  readonly backoff: Backoff;
}

/** What holds for the calls of one method. */
export interface MethodPolicy {
  readonly retry: RetryPolicy | undefined;
  readonly hedge: HedgeOptions | undefined;
  readonly timeoutMs: number;
}

/**
 * Checks the options and fills in what is left out.
 *
 * @throws {@link BalancerError} INVALID_OPTION.
 */
export function retryPolicy(options: RetryOptions): RetryPolicy {
  const {
    maxAttempts = 3,
    codes = ['UNAVAILABLE'],
    perAttemptTimeoutMs = Number.POSITIVE_INFINITY,
  } = options;
  const { baseMs = 25, maxMs = 1_000 } = options.backoff ?? {};
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
  if (typeof number === 'number' && number >= 1 && number <= 16 && Number.isInteger(number)) {
    // Nobody waits for the answer of a call that was cancelled.
    if (number !== Status.CANCELLED) return number;
  }
  const names = Object.keys(Status).slice(2).join(', ');
  throw new BalancerError(
    'INVALID_OPTION',
    `retry.codes has ${JSON.stringify(code)}, which is none of ${names}`,
  );
}

/** What the policies of a pool are made of. */
export interface PolicyOptions {
  readonly retry?: RetryOptions | undefined;
  readonly methods?: Readonly<Record<string, MethodOptions>> | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Methods beyond this are looked up anew each time: a proxy may pass on any name that it is given. */
const MAX_CACHED = 1_000;

/** The policies of a pool, by method: a method's own, else its service's (`/package.Service/*`), else the pool's. */
export class Policies {
  readonly #declared: Readonly<Record<string, MethodOptions>>;
  readonly #poolRetry: RetryPolicy | undefined;
  readonly #timeoutMs: number;
  readonly #byPath = new Map<string, MethodPolicy>();
  readonly #plain: MethodPolicy;

  /** @throws {@link BalancerError} INVALID_OPTION, for every method that is declared. */
  constructor({ retry, methods = {}, timeoutMs = Number.POSITIVE_INFINITY }: PolicyOptions) {
    this.#declared = methods;
    this.#poolRetry = retry && retryPolicy(retry);
    this.#timeoutMs = numberOption('timeoutMs', timeoutMs, { min: 0, max: Number.POSITIVE_INFINITY });
    this.#plain = { retry: this.#poolRetry, hedge: undefined, timeoutMs: this.#timeoutMs };
    for (const [path, options] of Object.entries(methods)) {
      if (!/^\/[^/]+\/[^/]+$/.test(path)) {
        const form = '/package.Service/Method or /package.Service/*';
        throw new BalancerError(
          'INVALID_OPTION',
          `methods has ${JSON.stringify(path)}, which is not ${form}`,
        );
      }
      this.#byPath.set(path, this.#policy(options, false));
    }
  }

  /** What holds for a method by what is declared of it. */
  of(path: string): MethodPolicy {
    const known = this.#byPath.get(path);
    if (known !== undefined) return known;
    const declared = this.#declaredFor(path);
    const policy = declared === undefined ? this.#plain : this.#policy(declared, false);
    if (this.#byPath.size < MAX_CACHED) this.#byPath.set(path, policy);
    return policy;
  }

  /** What holds for a method that its proto marks as idempotent. */
  ofIdempotent(path: string): MethodPolicy {
    return this.#policy(this.#declaredFor(path) ?? {}, true);
  }

  #declaredFor(path: string): MethodOptions | undefined {
    return this.#declared[path] ?? this.#declared[`${path.slice(0, path.lastIndexOf('/'))}/*`];
  }

  #policy(options: MethodOptions, marked: boolean): MethodPolicy {
    const { idempotent = marked, hedge, timeoutMs = this.#timeoutMs } = options;
    if (hedge !== undefined && !idempotent) {
      throw new BalancerError('INVALID_OPTION', 'hedge is for methods that are declared idempotent: true');
    }
    if (typeof hedge?.delayMs === 'number') numberOption('hedge.delayMs', hedge.delayMs, { min: 0 });
    const byDefault = this.#poolRetry ?? (idempotent ? retryPolicy({}) : undefined);
    return {
      retry: options.retry === false ? undefined : options.retry ? retryPolicy(options.retry) : byDefault,
      hedge,
      timeoutMs: numberOption('timeoutMs', timeoutMs, { min: 0, max: Number.POSITIVE_INFINITY }),
    };
  }
}

/** How many retries a pool may make. */
export interface RetryBudgetOptions {
  /** Retries and hedges, as a share of the calls made. Default 0.2. */
  readonly ratio?: number;
  /** And so many a second beside, so that a pool with few calls may retry at all. Default 10. */
  readonly minPerSecond?: number;
}

const SECONDS = 10;

/**
 * A retry budget over the last 10 s (Finagle's, 20 % + 10/s): with it an outage costs a fifth more calls, not as many
 * times more as there are attempts.
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #minimum: number;
  readonly #calls = new Float64Array(SECONDS);
  readonly #retries = new Float64Array(SECONDS);
  #second = 0;

  constructor({ ratio = 0.2, minPerSecond = 10 }: RetryBudgetOptions = {}) {
    this.#ratio = numberOption('retryBudget.ratio', ratio, { min: 0 });
    this.#minimum = numberOption('retryBudget.minPerSecond', minPerSecond, { min: 0 }) * SECONDS;
  }

  /** A call has been made. */
  called(now: number): void {
    const at = this.#at(now);
    this.#calls[at]! += 1;
  }

  /** Whether the call may be tried once more; if so, that is counted. */
  tryRetry(now: number): boolean {
    const at = this.#at(now);
    if (sum(this.#retries) + 1 > sum(this.#calls) * this.#ratio + this.#minimum) return false;
    this.#retries[at]! += 1;
    return true;
  }

  /** Where the present second is counted, those that have passed since the last one being cleared. */
  #at(now: number): number {
    const second = Math.floor(now / 1_000);
    if (second > this.#second) {
      for (let s = Math.max(this.#second + 1, second - SECONDS + 1); s <= second; s++) {
        this.#calls[s % SECONDS] = 0;
        this.#retries[s % SECONDS] = 0;
      }
      this.#second = second;
    }
    return second % SECONDS;
  }
}

function sum(counts: Float64Array): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
