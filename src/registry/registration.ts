import { retryUntilAborted } from '../base/backoff.js';
import { type Clock, sleep } from '../base/clock.js';
import type { Endpoint } from '../base/endpoint.js';
import { asError, BalancerError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Random } from '../base/random.js';
import { judge } from './claim.js';
import { type LeaseStore, newLease, type OperationLimits } from './leases.js';
import { RegistrationStates } from './registration-states.js';
import type { Registration, RegistrationState } from './registry.js';

export interface RegistrationEnv {
  readonly leases: LeaseStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** After this `close()` gives up on a registry that does not answer, in milliseconds. 3 s are promised. */
const CLOSE_MS = 2_500;
/** How long one attempt to revoke may take, in milliseconds. */
const REVOKE_MS = 1_000;
/** How long a grant may take, in milliseconds. */
const GRANT_MS = 2_000;
/** Any other request may take half a beat, and this at the most, in milliseconds; so may the wait between attempts. */
const MOST_MS = 5_000;
/** The wait between attempts begins here, in milliseconds. */
const BACKOFF_BASE_MS = 100;

/**
 * One endpoint announced under a lease: a key that the registry removes by itself once its server has not been heard for
 * the lease's time to live.
 *
 * Everything is done by one loop of beats, one every third of that time, so that two may fail:
 *
 * 1. keep the lease alive; where there is none, or it has ended, have one granted;
 * 2. look at the key: it hangs on our lease, it is missing or a leftover of ours, or somebody else's ({@link judge});
 * 3. put it where it is missing, guarded by the revision that was seen, so that nobody's key is overwritten.
 *
 * A beat that fails is repeated after a back-off. So the same three steps bring the endpoint back after everything: an
 * expired or revoked lease, a deleted key, a registry that was away, came back empty, or was out of reach for longer
 * than the lease lives. It is taken out by revoking the lease, never by deleting the key: a restarted process may own that.
 *
 * Between beats the state is what was last known; an endpoint that was announced stays `registered` for as long as its
 * lease may live, whatever fails meanwhile.
 */
export class LeasedRegistration implements Registration {
  readonly #env: RegistrationEnv;
  readonly #endpoint: Endpoint;
  readonly #ttlMs: number;
  readonly #states = new RegistrationStates();
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #closing: Promise<void> | undefined;

  #lease: string | undefined;
  /** A lease that was asked for, and may have been granted or not. */
  #asked: string | undefined;
  /** Leases given up, that the key may hang on until it is put under the new one. */
  readonly #former = new Set<string>();
  /** Undefined before the first look at the key; see {@link Claim.mayTakeUpTo}. */
  #mayTakeUpTo: bigint | undefined;
  /** When the lease was last known to be alive, on the clock. */
  #aliveAt: number;

  constructor(endpoint: Endpoint, ttlSeconds: number, env: RegistrationEnv) {
    this.#env = env;
    this.#endpoint = endpoint;
    this.#ttlMs = ttlSeconds * 1000;
    this.#aliveAt = env.clock.now();
    this.#loop = this.#run();
  }

  get id(): string {
    return this.#endpoint.id;
  }

  get state(): RegistrationState {
    return this.#states.current;
  }

  states(signal?: AbortSignal): AsyncIterable<RegistrationState> {
    return this.#states.follow(signal);
  }

  registered(signal?: AbortSignal): Promise<void> {
    return this.#states.registered(this.id, signal);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#env;
    const { signal } = this.#stop;
    const backoff = { baseMs: BACKOFF_BASE_MS, maxMs: this.#halfBeatMs, clock, random, signal };
    while (!signal.aborted) {
      try {
        await retryUntilAborted(() => this.#beat(), {
          ...backoff,
          onFailure: (error) => this.#tellFailed(error),
        });
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      await sleep(clock, this.#untilNextBeat(), signal);
    }
  }

  /** A third of the time to live, give or take a tenth: what started together must not beat together for ever. */
  #untilNextBeat(): number {
    const third = this.#ttlMs / 3;
    return third * 0.9 + this.#env.random(Math.floor(third * 0.2) + 1);
  }

  async #beat(): Promise<void> {
    const lease = (await this.#keepAlive()) ?? (await this.#grant());
    await this.#hold(lease);
  }

  /** Gives the lease its full time again, and returns it; undefined where there is none to be kept. */
  async #keepAlive(): Promise<string | undefined> {
    const lease = this.#lease;
    if (lease === undefined) return undefined;
    const askedAt = this.#env.clock.now();
    try {
      if (await this.#env.leases.keepAlive(lease, this.#limits())) {
        this.#aliveAt = askedAt;
        return lease;
      }
    } catch (error) {
      // For as long as the lease may live, it is tried again. After that another one is asked for, in case the registry
      // fails in this alone; this one is given up once that was granted, for a registry that was away for long comes
      // back with its leases.
      if (!this.#outOfTouch()) throw error;
      this.#tellFailed(asError(error));
      return undefined;
    }
    this.#giveUpLease();
    this.#tellGone(`the lease of ${this.id} has expired or was revoked`);
    return undefined;
  }

  async #grant(): Promise<string> {
    const { leases, clock } = this.#env;
    const before = this.#asked;
    const lease = before ?? newLease();
    this.#asked = lease;
    const askedAt = clock.now();
    // Not in haste: it comes first on a new connection.
    await leases.grant(lease, this.#ttlMs / 1000, { ...this.#limits(), timeoutMs: GRANT_MS });
    this.#giveUpLease();
    this.#asked = undefined;
    this.#lease = lease;
    this.#aliveAt = askedAt;
    if (before === undefined) return lease;
    // Granted by an attempt whose answer was lost, it may be about to end.
    const kept = await this.#keepAlive();
    if (kept === undefined) throw new Error('a lease that was granted late has ended');
    return kept;
  }

  /** Whether the lease was not known to be alive for as long as it lives: it may have ended. */
  #outOfTouch(): boolean {
    return this.#env.clock.now() - this.#aliveAt >= this.#ttlMs;
  }

  async #hold(lease: string): Promise<void> {
    const { leases } = this.#env;
    const holder = await leases.holder(this.id, this.#limits());
    this.#mayTakeUpTo ??= holder?.revision ?? 0n;
    const verdict = judge(holder, { lease, former: this.#former, mayTakeUpTo: this.#mayTakeUpTo });
    switch (verdict.kind) {
      case 'held':
        return this.#tellRegistered();
      case 'taken':
        return this.#tellAbsent(
          new BalancerError('KEY_TAKEN', `another live process holds the key ${this.id}`),
        );
      case 'put':
        if (holder === undefined) this.#tellGone(`the key ${this.id} was removed by someone else`);
        await this.#put(lease, verdict.ifRevision);
    }
  }

  async #put(lease: string, ifRevision: bigint): Promise<void> {
    const { leases } = this.#env;
    const result = await leases.put(this.#endpoint, lease, ifRevision, this.#limits());
    switch (result) {
      case 'put': {
        this.#tellRegistered();
        const former = [...this.#former];
        this.#former.clear();
        // They hold nothing any more, and end by themselves if this fails.
        await Promise.allSettled(former.map((old) => leases.revoke(old, this.#limits())));
        return;
      }
      case 'lease-gone':
        this.#giveUpLease();
        throw new BalancerError('LEASE_LOST', `the lease of ${this.id} ended before its key was put`);
      case 'changed':
        throw new Error(`the key ${this.id} changed while it was being put`);
    }
  }

  #tellRegistered(): void {
    this.#mayTakeUpTo = 0n;
    if (this.state.kind === 'registered') return;
    this.#env.logger.info(`registered ${this.id}`);
    this.#states.set({ kind: 'registered' });
  }

  #giveUpLease(): void {
    if (this.#lease !== undefined) this.#former.add(this.#lease);
    this.#lease = undefined;
  }

  #tellFailed(error: Error): void {
    const cause =
      error instanceof BalancerError
        ? error
        : new BalancerError('REGISTRY_UNAVAILABLE', error.message, { cause: error });
    // An announced endpoint stays announced for as long as its lease may live.
    if (this.state.kind !== 'registered' || this.#outOfTouch()) this.#tellAbsent(cause);
  }

  /** What was announced has been found to be gone. Before the first put it is not there either, which is no news. */
  #tellGone(message: string): void {
    if (this.state.kind === 'registered') this.#tellAbsent(new BalancerError('LEASE_LOST', message));
  }

  /** Not announced, as far as is known. The same cause again is no news. */
  #tellAbsent(cause: BalancerError): void {
    const { state } = this;
    if ('cause' in state && state.cause instanceof BalancerError && state.cause.code === cause.code) return;
    const kind = state.kind === 'registering' ? 'registering' : 'lost';
    this.#env.logger.warn(`${this.id} is not announced: ${cause.message}`);
    this.#states.set({ kind, cause });
  }

  get #halfBeatMs(): number {
    return Math.min(this.#ttlMs / 6, MOST_MS);
  }

  #limits(): OperationLimits {
    return { timeoutMs: this.#halfBeatMs, signal: this.#stop.signal };
  }

  async #close(): Promise<void> {
    const { clock, logger } = this.#env;
    const bound = new AbortController();
    const cancel = clock.after(CLOSE_MS, () => bound.abort());
    this.#stop.abort();
    try {
      const timeUp = new Promise<void>((resolve) => {
        bound.signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await Promise.race([this.#takeOut(bound.signal), timeUp]);
    } finally {
      cancel();
      if (bound.signal.aborted) {
        logger.warn(`${this.id} could not be taken out of the registry; its lease ends by itself`);
      }
      bound.abort();
      this.#states.set({ kind: 'closed' });
    }
  }

  async #takeOut(signal: AbortSignal): Promise<void> {
    const { leases, clock, random } = this.#env;
    await this.#loop;
    this.#giveUpLease();
    if (this.#asked !== undefined) this.#former.add(this.#asked);
    const revoke = (lease: string) =>
      retryUntilAborted(() => leases.revoke(lease, { timeoutMs: REVOKE_MS, signal }), {
        baseMs: BACKOFF_BASE_MS,
        maxMs: REVOKE_MS,
        clock,
        random,
        signal,
      });
    await Promise.allSettled([...this.#former].map(revoke));
  }
}
