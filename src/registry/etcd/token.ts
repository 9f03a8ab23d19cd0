import { BalancerError } from '../../base/errors.js';

/** A user of an etcd that has `auth enable`. Neither ever appears in a log or an error. */
export interface EtcdAuth {
  readonly username: string;
  readonly password: string;
}

/**
 * The token that etcd gave for a user and a password, shared by all clients of one registry or registrar.
 *
 * etcd3 can do this by itself, and never closes the connection that it makes for each new token.
 */
export class Token {
  readonly #auth: EtcdAuth | undefined;
  #value: string | undefined;
  #asking: Promise<void> | undefined;

  /** @throws BalancerError INVALID_OPTION, without a word of what was given. */
  constructor(auth: EtcdAuth | undefined) {
    if (auth !== undefined && (typeof auth?.username !== 'string' || typeof auth.password !== 'string')) {
      throw new BalancerError(
        'INVALID_OPTION',
        '`auth` of etcd is not a username and a password, both strings',
      );
    }
    this.#auth = auth;
  }

  /** Undefined while there is none, and `''` where etcd wants none. */
  get value(): string | undefined {
    return this.#value;
  }

  /** Has a token fetched where one is needed and there is none: once, however many want it. */
  async obtain(fetch: (auth: EtcdAuth) => Promise<string>): Promise<void> {
    if (this.#auth === undefined || this.#value !== undefined) return;
    this.#asking ??= this.#fetch(fetch, this.#auth);
    await this.#asking;
  }

  /** True when etcd's answer to a call made with `used` is that a new token is wanted; that one is forgotten then. */
  refused(details: string, used: string | undefined): boolean {
    if (this.#auth === undefined || !REFUSALS.some((refusal) => details.includes(refusal))) return false;
    if (this.#value === used) this.#value = undefined;
    return true;
  }

  async #fetch(fetch: (auth: EtcdAuth) => Promise<string>, auth: EtcdAuth): Promise<void> {
    try {
      this.#value = await fetch(auth);
    } finally {
      this.#asking = undefined;
    }
  }
}

/** etcd api/v3rpc/rpctypes/error.go: expired or unknown; older than the last change of a user; none, but auth is on. */
const REFUSALS = ['invalid auth token', 'revision of auth store is old', 'user name is empty'];
