import { type CallOptions, InterceptingCall, type Interceptor, status } from '@grpc/grpc-js';
import { Etcd3, type IOptions } from 'etcd3';
import { asError, BalancerError } from '../../base/errors.js';
import type { OperationLimits } from '../leases.js';
import { EtcdChannel } from './channel.js';
import type { EtcdSettings, EtcdTls } from './settings.js';

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** Runs what it is given, and that is all: etcd3's circuit breaker would refuse calls for seconds after etcd is back. */
function noPolicy(): Policy {
  const { signal } = new AbortController();
  return { execute: async (run) => run({ signal }) } as Policy;
}

/** What a call that came back for want of a valid token ends with, in words that etcd3 does not act on itself. */
const TOKEN_WANTED = 'a new auth token is wanted';

/**
 * An etcd3 client of one member, on a connection of its own. Every call has a deadline, wants the member to have a
 * leader, can be cancelled, and carries a token where one is needed.
 */
export class EtcdClient {
  /** `http://host:port` */
  readonly host: string;
  readonly #settings: EtcdSettings;
  readonly #etcd: Etcd3;
  readonly #cancels = new Set<() => void>();
  #channel: EtcdChannel | undefined;
  #heardAt = Number.NEGATIVE_INFINITY;

  /** @throws BalancerError INVALID_OPTION when a certificate or a key is none. Does not connect. */
  constructor(settings: EtcdSettings) {
    const { tls } = settings;
    this.host = settings.nextHost();
    this.#settings = settings;
    try {
      this.#etcd = new Etcd3({
        hosts: this.host,
        ...(tls && { credentials: etcd3Credentials(tls) }),
        faultHandling: { host: noPolicy, global: noPolicy() },
        grpcOptions: {
          'grpc.max_receive_message_length': -1,
          'grpc.keepalive_time_ms': 10_000,
          'grpc.keepalive_timeout_ms': 4_000,
          'grpc.enable_retries': 0,
          'grpc.enable_channelz': 0,
          'grpc.service_config_disable_resolution': 1,
          channelFactoryOverride: (...args: ConstructorParameters<typeof EtcdChannel>) => {
            this.#channel ??= new EtcdChannel(...args);
            return this.#channel;
          },
        },
      });
    } catch (error) {
      throw new BalancerError('INVALID_OPTION', `tls: ${asError(error).message}`, { cause: error });
    }
  }

  /** When etcd last answered anything, on the clock. */
  get heardAt(): number {
    return this.#heardAt;
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

  /** Cancels every call and closes the connection. */
  close(): void {
    for (const cancel of [...this.#cancels]) cancel();
    this.#etcd.close();
    this.#channel?.shutDown();
  }

  async #authenticate(): Promise<void> {
    const { token, requestTimeoutMs } = this.#settings;
    await token.obtain(async ({ username, password }) => {
      const options = this.#options({ timeoutMs: requestTimeoutMs });
      try {
        return (await this.#etcd.auth.authenticate({ name: username, password }, options)).token;
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
    const { token, clock } = this.#settings;
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
            onReceiveMetadata: (received, pass) => {
              this.#heardAt = clock.now();
              pass(received);
            },
            onReceiveStatus: (result, pass) => {
              this.#cancels.delete(cancel);
              signal?.removeEventListener('abort', cancel);
              const wanted = token.refused(result.details, used);
              pass(wanted ? { ...result, code: status.UNAUTHENTICATED, details: TOKEN_WANTED } : result);
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

/** What went wrong with a member, for people. grpc-js ends some of its texts with the label of an empty field. */
export function unavailable(host: string, error: Error): BalancerError {
  const reason = error.message.replace(/ Resolution note: $/, '');
  return new BalancerError('REGISTRY_UNAVAILABLE', `etcd at ${host}: ${reason}`, { cause: error });
}
