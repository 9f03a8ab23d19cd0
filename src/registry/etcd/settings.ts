import { type Clock, systemClock } from '../../base/clock.js';
import { BalancerError } from '../../base/errors.js';
import { guardedLogger, type Logger, silentLogger } from '../../base/logger.js';
import { booleanOption, numberOption, objectOption, stringOption } from '../../base/options.js';
import { type Random, systemRandom } from '../../base/random.js';
import { DEFAULT_PREFIX, type KeyForm } from '../keys.js';
import type { ValueFormat } from './codec.js';
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
  /** The first part of every key; `''` for none. Default `etcdv3_resolver`. */
  readonly prefix?: string;
  /** Whether keys begin with a slash. Default true; go-zero's and those of etcd's own Go package do not. */
  readonly leadingSlash?: boolean;
  /**
   * How a registrar writes an endpoint; a registry reads both forms. `plain`: the bare address, which wwcd/grpc-lb and
   * go-zero read, and which has no room for a weight or metadata: an endpoint with either is refused. `naming`: the JSON
   * that etcd's own Go package reads (`go.etcd.io/etcd/client/v3/naming`). `auto`: plain for an endpoint without a
   * weight and metadata, else naming. Default `auto`.
   */
  readonly value?: ValueFormat;
  /** Speaks TLS to etcd. `https://` hosts alone are enough where etcd's certificate is publicly signed. */
  readonly tls?: EtcdTls;
  readonly auth?: EtcdAuth;
  /**
   * Whether the proxy of the environment is used (`grpc_proxy`, `https_proxy` or `http_proxy`; not for the hosts of
   * `no_grpc_proxy` or `no_proxy`), as grpc-js does by default. Default true.
   */
  readonly httpProxy?: boolean;
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
export interface EtcdSettings extends KeyForm {
  /** The member to connect to next: each in turn, from one by chance on. */
  readonly nextHost: () => string;
  /** How many there are. */
  readonly members: number;
  readonly value: ValueFormat;
  readonly tls: EtcdTls | undefined;
  readonly token: Token;
  readonly httpProxy: boolean;
  readonly requestTimeoutMs: number;
  /** Whether connections are in the background: they do not keep the process alive. */
  readonly background: boolean;
  /** What was learnt of how long etcd takes. */
  readonly patience: Patience;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const KNOWN: Readonly<Record<keyof EtcdOptions, true>> = {
  hosts: true,
  prefix: true,
  leadingSlash: true,
  value: true,
  tls: true,
  auth: true,
  httpProxy: true,
  requestTimeoutMs: true,
  clock: true,
  random: true,
  logger: true,
};
const VALUES: readonly ValueFormat[] = ['plain', 'naming', 'auto'];
const MOST_TIMEOUT_MS = 600_000;

/** @throws BalancerError INVALID_OPTION, naming what cannot be. */
export function etcdSettings(options: EtcdOptions): EtcdSettings {
  objectOption('the options of etcd', options, KNOWN);
  const {
    requestTimeoutMs = 1_000,
    prefix = DEFAULT_PREFIX,
    leadingSlash = true,
    httpProxy = true,
    value = 'auto',
    tls,
    random = systemRandom(),
  } = options;
  numberOption('requestTimeoutMs', requestTimeoutMs, { min: 1, max: MOST_TIMEOUT_MS });
  stringOption('prefix', prefix, { empty: true });
  booleanOption('leadingSlash', leadingSlash);
  booleanOption('httpProxy', httpProxy);
  if (!VALUES.includes(value)) {
    throw new BalancerError(
      'INVALID_OPTION',
      `value is ${JSON.stringify(value)}, and must be ${VALUES.map((each) => JSON.stringify(each)).join(', ')}`,
    );
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
    prefix,
    leadingSlash,
    value,
    tls,
    token: new Token(options.auth),
    httpProxy,
    requestTimeoutMs,
    background: false,
    patience: new Patience(urls.length),
    clock: options.clock ?? systemClock,
    random,
    logger: guardedLogger(options.logger ?? silentLogger),
  };
}

function inTurn(urls: readonly [string, ...string[]], first: number): () => string {
  let next = first;
  return () => urls[next++ % urls.length] ?? urls[0];
}
