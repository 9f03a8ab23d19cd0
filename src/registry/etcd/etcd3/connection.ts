import {
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  InterceptingCall,
  type Interceptor,
  status,
} from '@grpc/grpc-js';
import {
  castGrpcError,
  Etcd3,
  EtcdLeaseInvalidError,
  GRPCDeadlineExceededError,
  type IOptions,
  isRecoverableError,
} from 'etcd3';
import { asError, BalancerError } from '../../../base/errors.js';
import type { OperationLimits } from '../../leases.js';
import {
  type EtcdConnection,
  EtcdError,
  type PutRequest,
  type RangeAnswer,
  type RangeRequest,
  type WatchListener,
  type WatchStream,
} from '../port.js';
import type { EtcdSettings, EtcdTls } from '../settings.js';
import { EtcdChannel } from './channel.js';
import { putMessage, rangeAnswer, rangeMessage, watchAnswer, watchMessage } from './messages.js';

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** Runs what it is given, and that is all: etcd3's circuit breaker would refuse calls for seconds after etcd is back. */
function noPolicy(): Policy {
  const { signal } = new AbortController();
  return { execute: async (run) => run({ signal }) } as Policy;
}

/** What a call that came back for want of a valid token ends with, in words that etcd3 does not act on itself. */
const TOKEN_WANTED = 'a new auth token is wanted';

type Call<T> = (etcd: Etcd3, options: CallOptions) => PromiseLike<T>;

/**
 * An {@link EtcdConnection} by the package etcd3. Every call has a deadline, wants the member to have a leader, can be
 * cancelled, and carries a token where one is needed.
 */
export class Etcd3Connection implements EtcdConnection {
  readonly host: string;
  readonly #settings: EtcdSettings;
  readonly #etcd: Etcd3;
  readonly #cancels = new Set<() => void>();
  #channel: EtcdChannel | undefined;
  #heardAt = Number.NEGATIVE_INFINITY;
  /** Calls that have begun, of which some may not be on the wire yet. */
  #underWay = 0;
  /** Hears when the last call of a connection that is given no more is over. */
  #onIdle: () => void = () => {};

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
          'grpc.enable_http_proxy': settings.httpProxy ? 1 : 0,
          channelFactoryOverride: (
            target: string,
            credentials: ChannelCredentials,
            options: ChannelOptions,
          ) => {
            this.#channel ??= new EtcdChannel(target, credentials, options, settings.background);
            return this.#channel;
          },
        },
      });
    } catch (error) {
      throw new BalancerError('INVALID_OPTION', `tls: ${asError(error).message}`, { cause: error });
    }
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  async range(request: RangeRequest, limits: OperationLimits): Promise<RangeAnswer> {
    const message = rangeMessage(request);
    return rangeAnswer(await this.#call((etcd, options) => etcd.kv.range(message, options), limits));
  }

  async put(request: PutRequest, limits: OperationLimits): Promise<'put' | 'changed'> {
    const message = putMessage(request);
    const { succeeded } = await this.#call((etcd, options) => etcd.kv.txn(message, options), limits);
    return succeeded ? 'put' : 'changed';
  }

  async grantLease(lease: string, ttlSeconds: number, limits: OperationLimits): Promise<void> {
    const message = { ID: lease, TTL: ttlSeconds };
    await this.#call((etcd, options) => etcd.leaseClient.leaseGrant(message, options), limits);
  }

  /** One request on a stream of its own. (etcd3's `Lease` belongs to one client, and a lease outlives many.) */
  keepLeaseAlive(lease: string, limits: OperationLimits): Promise<boolean> {
    return this.#call(async (etcd, options) => {
      const stream = await etcd.leaseClient.leaseKeepAlive(options);
      try {
        return await new Promise<boolean>((resolve, reject) => {
          stream.on('data', ({ TTL }) => resolve(TTL !== '0'));
          stream.on('error', (error: Error) => reject(castGrpcError(error)));
          stream.on('end', () => reject(new Error('etcd ended the keep-alive stream without an answer')));
          stream.write({ ID: lease });
        });
      } finally {
        stream.end();
      }
    }, limits);
  }

  async revokeLease(lease: string, limits: OperationLimits): Promise<void> {
    await this.#call((etcd, options) => etcd.leaseClient.leaseRevoke({ ID: lease }, options), limits);
  }

  async watch(listener: WatchListener, signal: AbortSignal): Promise<WatchStream> {
    const limits = { timeoutMs: Number.POSITIVE_INFINITY, signal };
    const stream = await this.#call((etcd, options) => etcd.watchClient.watch(options), limits);
    let isOver = false;
    const end = (cause: Error) => {
      if (!isOver) listener.onEnd(cause);
      isOver = true;
    };
    stream.on('data', (response) => listener.onAnswer(watchAnswer(response)));
    stream.on('error', end);
    stream.on('end', () => end(new Error('etcd ended the watch stream')));
    return {
      send: (request) => stream.write(watchMessage(request)),
      cancel: () => stream.cancel(),
    };
  }

  async retire(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      if (this.#underWay === 0) resolve();
    });
    this.close();
  }

  close(): void {
    for (const cancel of [...this.#cancels]) cancel();
    this.#etcd.close();
    this.#channel?.shutDown();
  }

  /** Runs one call; again, once, when all it lacked was a new token. */
  async #call<T>(run: Call<T>, limits: OperationLimits): Promise<T> {
    this.#underWay += 1;
    try {
      await this.#authenticate();
      try {
        return await run(this.#etcd, this.#options(limits));
      } catch (error) {
        if (!asError(error).message.includes(TOKEN_WANTED)) throw error;
      }
      await this.#authenticate();
      return await run(this.#etcd, this.#options(limits));
    } catch (thrown) {
      throw etcdError(asError(thrown), this.#settings.httpProxy);
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#onIdle();
    }
  }

  async #authenticate(): Promise<void> {
    const { token, requestTimeoutMs, patience } = this.#settings;
    await token.obtain(async ({ username, password }) => {
      const connecting = this.#heardAt === Number.NEGATIVE_INFINITY;
      const options = this.#options({ timeoutMs: patience.callMs(requestTimeoutMs, { connecting }) });
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

function etcdError(error: Error, throughProxy: boolean): EtcdError {
  if (error instanceof EtcdError) return error;
  const message = throughProxy ? naming(error.message, proxyOf(process.env)) : error.message;
  const failed = (kind: EtcdError['kind']) => new EtcdError(kind, message, { cause: error });
  if (error instanceof EtcdLeaseInvalidError) return failed('lease-gone');
  // etcd api/v3rpc/rpctypes/error.go, ErrGRPCLeaseExist.
  if (error.message.includes('lease already exists')) return failed('lease-exists');
  if (error instanceof GRPCDeadlineExceededError) return failed('timed-out');
  return failed(isRecoverableError(error) ? 'unreachable' : 'refused');
}

/** grpc-js knows no more of a proxy that fails than `Last error: undefined`. */
function naming(message: string, proxy: string | undefined): string {
  if (proxy === undefined || !message.includes('No connection established')) return message;
  return message.replace('Last error: undefined', `the proxy ${proxy} may have failed`);
}

/** The proxy that grpc-js takes from the environment, as `host:port (variable)`; not who we are to it. */
function proxyOf(env: NodeJS.ProcessEnv): string | undefined {
  const variable = ['grpc_proxy', 'https_proxy', 'http_proxy'].find((name) => env[name]);
  const url = variable && env[variable];
  return url && URL.canParse(url) ? `${new URL(url).host} (${variable})` : undefined;
}
