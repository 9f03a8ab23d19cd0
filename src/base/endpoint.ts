import { BalancerError } from './errors.js';

/** One registered instance of a service. */
export interface Endpoint {
  /** Its key in the registry, unique there. Two ids may announce one address. */
  readonly id: string;
  /** `host:port`, IPv6 bracketed (`[::1]:50051`), or `unix:path` in the static and in-memory registries. */
  readonly address: string;
  /** Its share, relative to the others': a finite number >= 0. 0 gets no picks unless all weights are 0. */
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
 * `host:port` split, the host without brackets.
 *
 * @returns undefined when the text is not `host:port` or `[v6]:port` with a port from 1 (0 when `allowPortZero`) to
 *   65535. A bare IPv6 address is refused: which of its colons ends the host cannot be told.
 */
export function splitHostPort(
  text: string,
  { allowPortZero = false }: { allowPortZero?: boolean } = {},
): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.%\w-]*:[0-9A-Fa-f:.%\w-]*)\]|([^\s:[\]/@?#]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port > 65_535 || (port === 0 && !allowPortZero)) return undefined;
  return { host: (match[1] ?? match[2]) as string, port };
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
  const unix = address.startsWith('unix:') && address.length > 'unix:'.length;
  if (!(unix && allowUnix) && splitHostPort(address) === undefined) {
    throw new BalancerError(
      'INVALID_ADDRESS',
      `address ${JSON.stringify(address)} is not host:port (port 1 to 65535, IPv6 in brackets)` +
        (unix ? '; unix: addresses are for the static and in-memory registries' : ''),
    );
  }
  if (!isWeight(weight)) {
    throw new BalancerError(
      'INVALID_OPTION',
      `weight ${String(weight)} of ${address} is not a finite number of 0 or more`,
    );
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

/** A finite number of 0 or more. */
export function isWeight(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
