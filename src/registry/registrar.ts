import type { Clock } from '../base/clock.js';
import {
  type Endpoint,
  type EndpointInit,
  endpointFrom,
  isWildcard,
  splitHostPort,
} from '../base/endpoint.js';
import { BalancerError } from '../base/errors.js';
import { guardedLogger, type Logger } from '../base/logger.js';
import type { Random } from '../base/random.js';
import { type KeyForm, servicePrefix } from './keys.js';
import type { LeaseStore } from './leases.js';
import { LeasedRegistration } from './registration.js';
import type { RegisterOptions, Registrar, Registration } from './registry.js';

export interface LeaseRegistrarOptions extends KeyForm {
  readonly leases: LeaseStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Whether `unix:path` may be announced. Default false. */
  readonly allowUnix?: boolean;
  /** Throws a BalancerError for an endpoint that the registry has no way to write. */
  readonly check?: (endpoint: Endpoint) => void;
}

const DEFAULT_TTL_SECONDS = 15;
/** etcd grants no less with its default election timeout. */
const LEAST_TTL_SECONDS = 2;
/** etcd grants no more (server/lease/lessor.go, `MaxLeaseTTL`). */
const MOST_TTL_SECONDS = 9_000_000_000;

/** A {@link Registrar} over any {@link LeaseStore}. */
export class LeaseRegistrar implements Registrar, AsyncDisposable {
  readonly #options: LeaseRegistrarOptions;
  readonly #registrations = new Set<Registration>();
  #closed = false;

  constructor(options: LeaseRegistrarOptions) {
    this.#options = { ...options, logger: guardedLogger(options.logger) };
  }

  register(service: string, init: EndpointInit, options: RegisterOptions = {}): Registration {
    if (this.#closed) throw new BalancerError('CLOSED', 'the registrar is closed');
    const { ttlSeconds = DEFAULT_TTL_SECONDS } = options;
    if (!Number.isInteger(ttlSeconds) || ttlSeconds < LEAST_TTL_SECONDS || ttlSeconds > MOST_TTL_SECONDS) {
      throw new BalancerError(
        'INVALID_OPTION',
        `ttlSeconds ${String(ttlSeconds)} is not a whole number of seconds from ${LEAST_TTL_SECONDS} on`,
      );
    }
    if (init.metadata !== undefined && Object.hasOwn(init.metadata, 'weight')) {
      throw new BalancerError(
        'INVALID_OPTION',
        `metadata of ${init.address} holds "weight", which has a field of its own`,
      );
    }
    const { instance } = options;
    if (instance !== undefined && !/^[\w.-]{1,100}$/.test(instance)) {
      throw new BalancerError(
        'INVALID_OPTION',
        `instance ${JSON.stringify(instance)} of ${init.address} is not of letters, digits, "-", "_" and "."`,
      );
    }
    const { allowUnix = false, check } = this.#options;
    const key = servicePrefix(this.#options, service) + init.address;
    const id = instance === undefined ? key : `${key}#${instance}`;
    const endpoint = endpointFrom(init, id, { allowUnix });
    const host = splitHostPort(endpoint.address)?.host;
    if (host !== undefined && isWildcard(host)) {
      throw new BalancerError(
        'INVALID_ADDRESS',
        `${endpoint.address} is every address of this machine, and no client can dial it`,
      );
    }
    check?.(endpoint);
    const registration = new LeasedRegistration(endpoint, ttlSeconds, this.#options);
    this.#registrations.add(registration);
    void this.#forgetWhenClosed(registration);
    return registration;
  }

  /** Closes every registration; resolves within 3 s and never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#registrations].map((registration) => registration.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #forgetWhenClosed(registration: Registration): Promise<void> {
    for await (const state of registration.states()) {
      if (state.kind === 'closed') this.#registrations.delete(registration);
    }
  }
}
