import { BalancerError } from '../../base/errors.js';
import { numberOption, objectOption } from '../../base/options.js';
import { type HedgeOptions, type RetryOptions, type RetryPolicy, retryPolicy } from './retry-options.js';

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

/** What holds for the calls of one method. */
export interface MethodPolicy {
  readonly retry: RetryPolicy | undefined;
  readonly hedge: HedgeOptions | undefined;
  readonly timeoutMs: number;
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
    this.#poolRetry = retry === undefined || (retry as unknown) === false ? undefined : retryPolicy(retry);
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
      objectOption(`methods[${JSON.stringify(path)}]`, options, {
        idempotent: true,
        retry: true,
        hedge: true,
        timeoutMs: true,
      });
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
    const ofService = `${path.slice(0, path.lastIndexOf('/'))}/*`;
    for (const name of [path, ofService])
      if (Object.hasOwn(this.#declared, name)) return this.#declared[name];
    return undefined;
  }

  #policy(options: MethodOptions, marked: boolean): MethodPolicy {
    const { idempotent = marked, hedge, timeoutMs = this.#timeoutMs } = options;
    if (hedge !== undefined && !idempotent) {
      throw new BalancerError('INVALID_OPTION', 'hedge is for methods that are declared idempotent: true');
    }
    if (hedge !== undefined) objectOption('hedge', hedge, { delayMs: true });
    const { delayMs = 'p95' } = hedge ?? {};
    if (delayMs !== 'p95') numberOption('hedge.delayMs', delayMs, { min: 0 });
    const byDefault = this.#poolRetry ?? (idempotent ? retryPolicy({}) : undefined);
    return {
      retry: options.retry === false ? undefined : options.retry ? retryPolicy(options.retry) : byDefault,
      hedge,
      timeoutMs: numberOption('timeoutMs', timeoutMs, { min: 0, max: Number.POSITIVE_INFINITY }),
    };
  }
}
