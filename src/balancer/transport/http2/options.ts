import type { ConnectionOptions } from 'node:tls';
import type { CallCredentials, ChannelOptions } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../../../base/clock.js';
import type { Endpoint } from '../../../base/endpoint.js';
import { BalancerError } from '../../../base/errors.js';
import { numberOption } from '../../../base/options.js';
import { DEFAULT_WINDOW, MAX_31_BITS } from './frames/protocol.js';
import type { Compression } from './grpc/compression.js';
import type { KeepAliveOptions } from './session/keepalive.js';

/** Node's own options for TLS, as `tls.connect` takes them. */
export type TlsOptions = Pick<
  ConnectionOptions,
  | 'ca'
  | 'cert'
  | 'key'
  | 'passphrase'
  | 'pfx'
  | 'crl'
  | 'ciphers'
  | 'servername'
  | 'rejectUnauthorized'
  | 'checkServerIdentity'
  | 'minVersion'
  | 'maxVersion'
  | 'secureContext'
>;

/** Those of grpc-js's channel options that this transport knows; they mean what they mean there. */
export type KnownChannelOptions = Pick<
  ChannelOptions,
  | 'grpc.default_authority'
  | 'grpc.default_compression_algorithm'
  | 'grpc.enable_http_proxy'
  | 'grpc.keepalive_permit_without_calls'
  | 'grpc.keepalive_time_ms'
  | 'grpc.keepalive_timeout_ms'
  | 'grpc.max_receive_message_length'
  | 'grpc.max_send_message_length'
  | 'grpc.primary_user_agent'
  | 'grpc.secondary_user_agent'
  | 'grpc.ssl_target_name_override'
  | 'grpc-node.flow_control_window'
>;

export interface Http2TransportOptions {
  /**
   * TLS to the servers, with these options; a function is asked at each connect, so that files that were replaced count.
   * `true`: with Node's own. Default: none, the calls are sent in the clear.
   */
  readonly tls?: boolean | TlsOptions | ((endpoint: Endpoint) => TlsOptions) | undefined;
  /** Asked for metadata for every call. Only with `tls`. */
  readonly callCredentials?: CallCredentials | undefined;
  /** Options by the names that grpc-js gives them. */
  readonly channelOptions?: KnownChannelOptions | undefined;
  /** What the headers of a response may count together, in bytes. Default 16,384. */
  readonly maxHeaderListSize?: number | undefined;
  /** How long a server may take to acknowledge our SETTINGS, in milliseconds. Default 10,000. */
  readonly settingsTimeoutMs?: number | undefined;
  /** Whether proxies are taken from the environment: `grpc_proxy`, `https_proxy`, `http_proxy`, `no_proxy`. Default true. */
  readonly proxy?: boolean | undefined;
  /** Default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** The options, checked, with defaults. */
export interface Settings {
  readonly clock: Clock;
  readonly tls: ((endpoint: Endpoint) => TlsOptions) | undefined;
  readonly targetName: string | undefined;
  readonly credentials: CallCredentials | undefined;
  readonly authority: string | undefined;
  readonly compression: Compression;
  readonly maxSend: number;
  readonly maxReceive: number;
  readonly userAgent: string;
  readonly proxy: boolean;
  readonly maxHeaderListSize: number;
  readonly settingsTimeoutMs: number;
  readonly streamWindow: number;
  readonly connectionWindow: number;
  readonly keepAlive: KeepAliveOptions;
}

const KNOWN = [
  'grpc.default_authority',
  'grpc.default_compression_algorithm',
  'grpc.enable_http_proxy',
  'grpc.keepalive_permit_without_calls',
  'grpc.keepalive_time_ms',
  'grpc.keepalive_timeout_ms',
  'grpc.max_receive_message_length',
  'grpc.max_send_message_length',
  'grpc.primary_user_agent',
  'grpc.secondary_user_agent',
  'grpc.ssl_target_name_override',
  'grpc-node.flow_control_window',
] as const satisfies readonly (keyof KnownChannelOptions)[];

/** By the numbers that grpc-js gives them. */
const COMPRESSIONS: readonly Compression[] = ['identity', 'deflate', 'gzip'];
/** As in every gRPC. */
const MAX_RECEIVE = 4 * 1_024 * 1_024;
/** A round trip of 10 ms lets 50 MB/s through. */
const STREAM_WINDOW = 512 * 1_024;
const CONNECTION_WINDOW = 4 * 1_024 * 1_024;
/** Just rarer than grpc-go's servers take it by default (keepalive.EnforcementPolicy.MinTime: five minutes). */
const KEEPALIVE_MS = 310_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;
const USER_AGENT = 'grpc-node-evenkeel/0.1.0';

/** @throws {@link BalancerError} INVALID_OPTION */
export function settingsFrom(options: Http2TransportOptions): Settings {
  const channel = options.channelOptions ?? {};
  for (const name of Object.keys(channel)) {
    if (!(KNOWN as readonly string[]).includes(name))
      throw new BalancerError(
        'INVALID_OPTION',
        `channelOptions ${JSON.stringify(name)} is not known to this transport, which knows ${KNOWN.join(', ')}`,
      );
  }
  const { tls = false } = options;
  if (tls === false && options.callCredentials !== undefined)
    throw new BalancerError('INVALID_OPTION', 'callCredentials go over TLS only: give tls, too');
  const window = numberOption(
    'channelOptions["grpc-node.flow_control_window"]',
    channel['grpc-node.flow_control_window'] ?? STREAM_WINDOW,
    { min: DEFAULT_WINDOW, max: MAX_31_BITS, integer: true },
  );
  return {
    clock: options.clock ?? systemClock,
    tls: tls === false ? undefined : typeof tls === 'function' ? tls : () => (tls === true ? {} : tls),
    targetName: nameFrom(channel, 'grpc.ssl_target_name_override'),
    credentials: options.callCredentials,
    authority: nameFrom(channel, 'grpc.default_authority'),
    compression: compressionFrom(channel['grpc.default_compression_algorithm'] ?? 0),
    maxSend: lengthFrom('grpc.max_send_message_length', channel['grpc.max_send_message_length'] ?? -1),
    maxReceive: lengthFrom(
      'grpc.max_receive_message_length',
      channel['grpc.max_receive_message_length'] ?? MAX_RECEIVE,
    ),
    userAgent: [
      textFrom(channel, 'grpc.primary_user_agent'),
      USER_AGENT,
      textFrom(channel, 'grpc.secondary_user_agent'),
    ]
      .filter((part) => part !== undefined && part !== '')
      .join(' '),
    proxy: (options.proxy ?? true) && channel['grpc.enable_http_proxy'] !== 0,
    maxHeaderListSize: numberOption('maxHeaderListSize', options.maxHeaderListSize ?? 16_384, {
      min: 1_024,
      max: 16 * 1_024 * 1_024,
      integer: true,
    }),
    settingsTimeoutMs: numberOption('settingsTimeoutMs', options.settingsTimeoutMs ?? 10_000, { min: 1 }),
    streamWindow: window,
    connectionWindow: Math.max(window, CONNECTION_WINDOW),
    keepAlive: {
      timeMs: keepAliveMs(channel['grpc.keepalive_time_ms'] ?? KEEPALIVE_MS),
      timeoutMs: numberOption(
        'channelOptions["grpc.keepalive_timeout_ms"]',
        channel['grpc.keepalive_timeout_ms'] ?? KEEPALIVE_TIMEOUT_MS,
        { min: 1 },
      ),
      withoutCalls: channel['grpc.keepalive_permit_without_calls'] === 1,
    },
  };
}

/** A host, with its port where it has one. It goes into every request as it stands. */
function nameFrom(channel: Partial<ChannelOptions>, name: keyof ChannelOptions): string | undefined {
  return checkedText(channel, name, /^[!-~]+$/, 'printable ASCII without spaces');
}

/** What may stand in a header of gRPC's (PROTOCOL-HTTP2.md, ASCII-Value). */
function textFrom(channel: Partial<ChannelOptions>, name: keyof ChannelOptions): string | undefined {
  return checkedText(channel, name, /^[ -~]*$/, 'printable ASCII');
}

function checkedText(
  channel: Partial<ChannelOptions>,
  name: keyof ChannelOptions,
  pattern: RegExp,
  what: string,
): string | undefined {
  const value: unknown = channel[name];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw new BalancerError(
    'INVALID_OPTION',
    `channelOptions[${JSON.stringify(name)}] must be ${what}, not ${JSON.stringify(value)}`,
  );
}

/** -1 is no limit, to grpc-js. */
function lengthFrom(name: string, value: number): number {
  numberOption(`channelOptions[${JSON.stringify(name)}]`, value, { min: -1, integer: true });
  return value === -1 ? Number.POSITIVE_INFINITY : value;
}

/** -1 is never, to grpc-js. */
function keepAliveMs(value: number): number {
  if (value === -1) return Number.POSITIVE_INFINITY;
  const name = 'channelOptions["grpc.keepalive_time_ms"]';
  return numberOption(name, value, { min: 1, max: Number.POSITIVE_INFINITY });
}

function compressionFrom(value: number): Compression {
  const name = 'channelOptions["grpc.default_compression_algorithm"]';
  return COMPRESSIONS[numberOption(name, value, { min: 0, max: COMPRESSIONS.length - 1, integer: true })]!;
}
