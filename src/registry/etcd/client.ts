import { type CallOptions, InterceptingCall, type Interceptor, status } from '@grpc/grpc-js';
import { Etcd3, type IOptions } from 'etcd3';
import { type Clock, systemClock } from '../../clock.js';
import { asError, BalancerError } from '../../errors.js';
import { type Logger, silentLogger } from '../../logger.js';
import { type Random, systemRandom } from '../../random.js';
import { DEFAULT_PREFIX } from '../keys.js';
import type { OperationLimits } from '../leases.js';
import { type EtcdHosts, parseHosts } from './hosts.js';
import { Token } from './token.js';

/** PEM files, as they are read from disk. */
export interface EtcdTls {
  /** The certificates that etcd's is checked against. Default: Node's own list. */
  readonly ca?: Buffer;
  /** Our certificate, where etcd asks for one (`--client-cert-auth`); with `key`. */
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** A user of an etcd with `auth enable`. Neither ever appears in a log or an error. */
export interface EtcdAuth {
  readonly username: string;
  readonly password: string;
}

export interface EtcdOptions {
  /** `host:port` or `http(s)://host:port`, one or several members of one cluster; a text may join them by commas. */
  readonly hosts: string | readonly string[];
  /** The first part of every key. Default `etcdv3_resolver`. */
  readonly prefix?: string;
  /** Speaks TLS to etcd. `https://` hosts alone are enough where etcd's certificate is publicly signed. */
  readonly tls?: EtcdTls;
  readonly auth?: EtcdAuth;
  /** How long one request to etcd may take before the next is made, connecting included. Default 1,000. */
  readonly requestTimeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Default: silent. */
  readonly logger?: Logger;
}

/** {@link EtcdOptions}, checked and complete. */
export interface EtcdSettings {
  readonly hosts: EtcdHosts;
  readonly prefix: string;
  readonly tls: EtcdTls | undefined;
  readonly token: Token;
  readonly requestTimeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** @throws BalancerError INVALID_OPTION, naming what cannot be. */
export function etcdSettings(options: EtcdOptions): EtcdSettings {
  const { requestTimeoutMs = 1_000, tls } = options;
  if (!(requestTimeoutMs > 0 && requestTimeoutMs < Number.POSITIVE_INFINITY)) {
    throw new BalancerError('INVALID_OPTION', `requestTimeoutMs ${requestTimeoutMs} is not a number above 0`);
  }
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) {
    throw new BalancerError('INVALID_OPTION', 'tls.cert and tls.key are given together, or not at all');
  }
  const hosts = parseHosts(options.hosts, tls !== undefined);
  if (tls !== undefined && !hosts.secure) {
    throw new BalancerError('INVALID_OPTION', `tls is given, and ${hosts.urls[0]} is spoken to without it`);
  }
  const settings = {
    hosts,
    prefix: options.prefix ?? DEFAULT_PREFIX,
    tls,
    token: new Token(options.auth),
    requestTimeoutMs,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom(),
    logger: options.logger ?? silentLogger,
  };
  // What is wrong with a certificate shows when a client is made of it, and is to show here.
  new EtcdClient(settings, hosts.urls).close();
  return settings;
}

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** Runs what it is given, and that is all: etcd3's circuit breaker would refuse calls for seconds after etcd is back. */
function noPolicy(): Policy {
  const { signal } = new AbortController();
  return { execute: async (run) => run({ signal }) } as Policy;
}

/** What a call that came back for want of a valid token ends with, in words that etcd3 does not act on itself. */
const TOKEN_WANTED = 'a new auth token is wanted';

/**
 * An etcd3 client on connections of its own, every call of which has a deadline, wants the member that serves it to
 * have a leader, and can be cancelled.
 */
export class EtcdClient {
  readonly #settings: EtcdSettings;
  readonly #etcd: Etcd3;
  readonly #cancels = new Set<() => void>();

  /** @param urls - the members to use: one, or all, each call then on one by chance. */
  constructor(settings: EtcdSettings, urls: readonly string[]) {
    const { tls } = settings;
    this.#settings = settings;
    try {
      this.#etcd = new Etcd3({
        hosts: [...urls],
        ...(tls && { credentials: etcd3Credentials(tls) }),
        faultHandling: { host: noPolicy, global: noPolicy() },
        grpcOptions: {
          'grpc.max_receive_message_length': -1,
          'grpc.keepalive_time_ms': 10_000,
          'grpc.keepalive_timeout_ms': 4_000,
          'grpc.enable_retries': 0,
          'grpc.enable_channelz': 0,
          'grpc.service_config_disable_resolution': 1,
          // grpc-js shares connections between channels of equal options: ours are for this client's services alone,
          // so that closing it closes them, and so that all of its calls are on the same member.
          'evenkeel.client': Symbol('client'),
        },
      });
    } catch (error) {
      throw new BalancerError('INVALID_OPTION', `tls: ${asError(error).message}`, { cause: error });
    }
  }

  /** Runs one call; again, once, when all it lacked was a new token. */
  async call<T>(
    run: (etcd: Etcd3, options: CallOptions) => PromiseLike<T>,
    limits: OperationLimits,
  ): Promise<T> {
    await this.#authenticate();
    try {
      return await run(this.#etcd, this.#options(limits));
    } catch (error) {
      if (!asError(error).message.includes(TOKEN_WANTED)) throw error;
    }
    await this.#authenticate();
    return run(this.#etcd, this.#options(limits));
  }

  /** Opens a stream that lives until it is cancelled. */
  async open<T>(run: (etcd: Etcd3, options: CallOptions) => PromiseLike<T>, signal: AbortSignal): Promise<T> {
    await this.#authenticate();
    return run(this.#etcd, this.#options({ timeoutMs: Number.POSITIVE_INFINITY, signal }));
  }

  /** Cancels every call and closes the connections. */
  close(): void {
    for (const cancel of [...this.#cancels]) cancel();
    this.#etcd.close();
  }

  async #authenticate(): Promise<void> {
    const { token, requestTimeoutMs } = this.#settings;
    await token.obtain(async ({ username, password }) => {
      const request = { name: username, password };
      try {
        const answer = await this.#etcd.auth.authenticate(
          request,
          this.#options({ timeoutMs: requestTimeoutMs }),
        );
        return answer.token;
      } catch (error) {
        // Then it takes every call without one; should that change, it says so.
        if (asError(error).message.includes('authentication is not enabled')) return '';
        throw error;
      }
    });
  }

  #options({ timeoutMs, signal }: OperationLimits): CallOptions {
    const interceptors = [this.#interceptor(signal)];
    return timeoutMs === Number.POSITIVE_INFINITY
      ? { interceptors }
      : { interceptors, deadline: this.#settings.clock.epochNow() + timeoutMs };
  }

  #interceptor(signal: AbortSignal | undefined): Interceptor {
    const { token } = this.#settings;
    return (options, nextCall) => {
      const call = new InterceptingCall(nextCall(options), {
        start: (metadata, _listener, next) => {
          const used = token.value;
          const sent = metadata.clone();
          sent.set('hasleader', 'true');
          if (used) sent.set('token', used);
          const cancel = () => call.cancelWithStatus(status.CANCELLED, 'cancelled');
          this.#cancels.add(cancel);
          signal?.addEventListener('abort', cancel);
          next(sent, {
            onReceiveStatus: (result, pass) => {
              this.#cancels.delete(cancel);
              signal?.removeEventListener('abort', cancel);
              pass(
                token.refused(result.details, used)
                  ? { ...result, code: status.UNAUTHENTICATED, details: TOKEN_WANTED }
                  : result,
              );
            },
          });
          if (signal?.aborted) cancel();
        },
      });
      return call;
    };
  }
}

function etcd3Credentials({ ca, cert, key }: EtcdTls): NonNullable<IOptions['credentials']> {
  return {
    // Undefined is grpc-js's word for Node's own list, which etcd3's types leave out.
    rootCertificate: ca as Buffer,
    ...(key && { privateKey: key }),
    ...(cert && { certChain: cert }),
  };
}
