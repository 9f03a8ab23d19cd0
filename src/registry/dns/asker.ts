import { promises as dns, type SrvRecord } from 'node:dns';

/** An address, and for how long it is good, in seconds, where that is told. */
export interface AddressRecord {
  readonly address: string;
  readonly ttl?: number;
}

export type Family = 4 | 6;

/** Who is asked: the port to DNS. An empty answer is none of its failures. */
export interface Asker {
  addresses(name: string, family: Family): Promise<readonly AddressRecord[]>;
  services(name: string): Promise<readonly SrvRecord[]>;
  /** Questions that are open fail soon. */
  cancel(): void;
}

/** There is no such name, or it has no record of this type. */
const EMPTY = new Set(['ENOTFOUND', 'ENODATA']);

/** Of the time that a resolution has, what c-ares waits for one server the first time; it asks each three times. */
const FIRST_TRY = 1 / 4;
const TRIES = 3;

/**
 * Asks DNS servers, by c-ares: those given, or the system's. One is made for each resolution: it reads the system's
 * configuration as it is by then, and remembers nothing.
 */
export class DnsAsker implements Asker {
  readonly #resolver: dns.Resolver;

  /** @throws TypeError when a server is no IP address, with or without a port. */
  constructor(servers: readonly string[] | undefined, timeoutMs: number) {
    this.#resolver = new dns.Resolver({ timeout: Math.ceil(timeoutMs * FIRST_TRY), tries: TRIES });
    if (servers !== undefined) this.#resolver.setServers(servers);
  }

  addresses(name: string, family: Family): Promise<readonly AddressRecord[]> {
    const options = { ttl: true } as const;
    return orEmpty(
      family === 4 ? this.#resolver.resolve4(name, options) : this.#resolver.resolve6(name, options),
    );
  }

  services(name: string): Promise<readonly SrvRecord[]> {
    return orEmpty(this.#resolver.resolveSrv(name));
  }

  cancel(): void {
    this.#resolver.cancel();
  }
}

/**
 * Asks the operating system (getaddrinfo), as most programs do: `/etc/hosts` and search domains count. It tells no time to
 * live and no SRV, and cannot be cancelled.
 */
export class SystemAsker implements Asker {
  addresses(name: string, family: Family): Promise<readonly AddressRecord[]> {
    return orEmpty(
      dns.lookup(name, { all: true, family }).then((found) => found.map(({ address }) => ({ address }))),
    );
  }

  services(name: string): Promise<never> {
    return Promise.reject(new Error(`the operating system knows no SRV: ${name}`));
  }

  cancel(): void {}
}

async function orEmpty<T>(answer: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await answer;
  } catch (error) {
    if (EMPTY.has((error as { code?: string }).code ?? '')) return [];
    throw error;
  }
}
