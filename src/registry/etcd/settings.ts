import { type Clock, systemClock } from '../../base/clock.js';
import { BalancerError } from '../../base/errors.js';
import { type Logger, silentLogger } from '../../base/logger.js';
import { type Random, systemRandom } from '../../base/random.js';
import { DEFAULT_PREFIX } from '../keys.js';
import { parseHosts } from './hosts.js';
import { Patience } from './patience.js';
import { type EtcdAuth, Token } from './token.js';

/** PEM files, as they are read from disk. */
export interface EtcdTls {
  /** The certificates that etcd's is checked against. Default: Node's own list. */
  readonly ca?: Buffer;
  /** Our certificate, where etcd asks for one (`--client-cert-auth`); with `key`. */
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface EtcdOptions {
  /** `host:port` or `http(s)://host:port`, one or several members of one cluster; a text may join them by commas. */
  readonly hosts: string | readonly string[];
  /** The first part of every key. Default `etcdv3_resolver`. */
  readonly prefix?: string;
  /** Speaks TLS to etcd. `https://` hosts alone are enough where etcd's certificate is publicly signed. */
  readonly tls?: EtcdTls;
  readonly auth?: EtcdAuth;
  /**
   * How long a registry waits for a page of a snapshot, or for a token, connecting included, before it tries the next
   * member, in milliseconds. Default 1,000. Once each member was given that in vain it waits twice as long, up to 5 s, and
   * longer where etcd was measured to be far away. (A registrar begins with a sixth of a time to live.)
   */
  readonly requestTimeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Default: silent. */
  readonly logger?: Logger;
}

/** {@link EtcdOptions}, checked and complete. */
export interface EtcdSettings {
  /** The member to connect to next: each in turn, from one by chance on. */
  readonly nextHost: () => string;
  /** How many there are. */
  readonly members: number;
  readonly prefix: string;
  readonly tls: EtcdTls | undefined;
  readonly token: Token;
  readonly requestTimeoutMs: number;
  /** What was learnt of how long etcd takes. */
  readonly patience: Patience;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** @throws BalancerError INVALID_OPTION, naming what cannot be. */
export function etcdSettings(options: EtcdOptions): EtcdSettings {
  const { requestTimeoutMs = 1_000, tls, random = systemRandom() } = options;
  if (!(requestTimeoutMs > 0 && requestTimeoutMs < Number.POSITIVE_INFINITY)) {
    throw new BalancerError('INVALID_OPTION', `requestTimeoutMs ${requestTimeoutMs} is not a number above 0`);
  }
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) {
    throw new BalancerError('INVALID_OPTION', 'tls.cert and tls.key are given together, or not at all');
  }
  const { urls, secure } = parseHosts(options.hosts, tls !== undefined);
  if (tls !== undefined && !secure) {
    throw new BalancerError('INVALID_OPTION', `tls is given, and etcd host ${urls[0]} is not https`);
  }
  return {
    nextHost: inTurn(urls, random(urls.length)),
    members: urls.length,
    prefix: options.prefix ?? DEFAULT_PREFIX,
    tls,
    token: new Token(options.auth),
    requestTimeoutMs,
    patience: new Patience(urls.length),
    clock: options.clock ?? systemClock,
    random,
    logger: options.logger ?? silentLogger,
  };
}

function inTurn(urls: readonly [string, ...string[]], first: number): () => string {
  let next = first;
  return () => urls[next++ % urls.length] ?? urls[0];
}
