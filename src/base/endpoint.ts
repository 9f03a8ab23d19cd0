import { BalancerError } from './errors.js';

/** One registered instance of a service. */
export interface Endpoint {
  /** Its key in the registry, unique there. Two ids may announce one address. */
  readonly id: string;
  /** `host:port`, IPv6 bracketed (`[::1]:50051`), or `unix:path` in the static and in-memory registries. */
  readonly address: string;
  /** Its share, relative to the others': 0, or from 1e-6 to 2^32 - 1. 0 gets no picks unless all weights are 0. */
  readonly weight: number;
  /** Whatever its server announces beside: zone, version, labels. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a server announces: an address, and attributes where it has some. */
export interface EndpointInit {
  readonly address: string;
  /** Default 1. */
  readonly weight?: number;
  /** Default `{}`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The weight of an endpoint that announces none. */
export const DEFAULT_WEIGHT = 1;

/** True where both say the same in every field. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  if (a === b) return true;
  if (a.id !== b.id || a.address !== b.address || a.weight !== b.weight) return false;
  const keys = Object.keys(a.metadata);
  if (keys.length !== Object.keys(b.metadata).length) return false;
  return keys.every((key) => Object.hasOwn(b.metadata, key) && a.metadata[key] === b.metadata[key]);
}

/**
 * What may stand before the colon: a name, of any script and as long as DNS has them (RFC 1035), or an IPv4 address.
 * Nothing that a header or a log trips over.
 */
const HOST = /^[\p{L}\p{N}\p{M}._-]{1,253}$/u;

/**
 * What gRPC takes for the scheme of a target (grpc/grpc doc/naming.md), and dials in another way: `unix:80` is a socket
 * in the file system, `dns:80` a host named 80.
 */
const SCHEMES: ReadonlySet<string> = new Set(
  ['unix', 'unix-abstract', 'dns', 'ipv4', 'ipv6', 'vsock', 'xds', 'passthrough', 'google-c2p'], //
);

/**
 * `host:port` split, the host without brackets.
 *
 * @returns undefined when the text is not `host:port` or `[v6]:port` with a port from 1 (0 when `allowPortZero`) to
 *   65535. A bare IPv6 address is refused: which of its colons ends the host cannot be told. So are a zone (`%eth0`),
 *   with which grpc-js never connects, and a host that gRPC takes for a scheme (`dns:80`; `dns.:80` is the host).
 */
export function splitHostPort(
  text: string,
  { allowPortZero = false }: { allowPortZero?: boolean } = {},
): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, v6, name] = match;
  const isHost = v6 !== undefined ? isIPv6(v6) : HOST.test(name!) && !SCHEMES.has(name!.toLowerCase());
  const port = Number(match[3]);
  if (!isHost || port > 65_535 || (port === 0 && !allowPortZero)) return undefined;
  return { host: (v6 ?? name)!, port };
}

/**
 * True for `0.0.0.0`, `::` and every other spelling of the unspecified address (`0`, `00.0.0.0`, `0x0`,
 * `::ffff:0.0.0.0`), on which a server can listen and which no client can dial.
 *
 * @param host - without brackets.
 */
export function isWildcard(host: string): boolean {
  if (isIPv6(host)) {
    const { hostname } = new URL(`http://[${host}]/`);
    return hostname === '[::]' || hostname === '[::ffff:0:0]';
  }
  // inet_aton(3): one to four numbers, decimal, octal or hexadecimal.
  return /^(?:0x)?0+(?:\.(?:0x)?0+){0,3}\.?$/i.test(host);
}

/** By the URL standard's parser, which knows no zones. */
function isIPv6(host: string): boolean {
  return /^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(host) && URL.canParse(`http://[${host}]/`);
}

/** The inverse of {@link splitHostPort}: brackets a host that holds a colon, as Go's `net.JoinHostPort` does. */
export function joinHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * An {@link Endpoint} from what a user wrote, every field checked.
 *
 * @throws {@link BalancerError} INVALID_ADDRESS or INVALID_OPTION, naming the value and what it must be.
 */
export function endpointFrom(init: EndpointInit, id: string, { allowUnix = false } = {}): Endpoint {
  const { address, weight = DEFAULT_WEIGHT, metadata = {} } = init;
  const unix = typeof address === 'string' && /^unix:[^\p{C}]+$/u.test(address);
  if (!(unix && allowUnix) && (typeof address !== 'string' || splitHostPort(address) === undefined)) {
    throw new BalancerError(
      'INVALID_ADDRESS',
      `address ${JSON.stringify(address)} is not host:port (port 1 to 65535, IPv6 in brackets and without a zone` +
        `${isOfScheme(address) ? '; gRPC takes the word before the colon for a scheme: end it with a dot' : ''})` +
        (unix ? '; unix: addresses are for the static and in-memory registries' : ''),
    );
  }
  if (!isWeight(weight)) {
    throw new BalancerError('INVALID_OPTION', `weight ${String(weight)} of ${address} is not ${WEIGHTS}`);
  }
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value === 'string') continue;
    throw new BalancerError(
      'INVALID_OPTION',
      `metadata ${JSON.stringify(name)} of ${address} is not a string`,
    );
  }
  return { id, address, weight, metadata: { ...metadata } };
}

function isOfScheme(address: unknown): boolean {
  return typeof address === 'string' && SCHEMES.has(address.replace(/:.*$/s, '').toLowerCase());
}

/** Of two weights further apart than these bounds, the smaller would never have a turn. */
const LEAST_WEIGHT = 1e-6;
/** What gRPC's own weights are counted in is 32 bits, too (xDS, `load_balancing_weight`). */
const MOST_WEIGHT = 2 ** 32 - 1;

/** What a weight is, for messages. */
export const WEIGHTS = '0, nor a number from 1e-6 to 2^32 - 1';

/** 0, or a number from 1e-6 to 2^32 - 1. Sums of such numbers are finite, and exact enough. */
export function isWeight(value: unknown): value is number {
  return value === 0 || (typeof value === 'number' && value >= LEAST_WEIGHT && value <= MOST_WEIGHT);
}
