import { isIPv6 } from 'node:net';
import { isWildcard, joinHostPort, splitHostPort } from '../base/endpoint.js';
import { BalancerError } from '../base/errors.js';

/** An address as the user wrote it, taken apart. `unix:path` for the static and in-memory registries. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** @throws BalancerError INVALID_ADDRESS, naming the address and what it must be. */
export function parseListenAddress(address: string): ListenAddress {
  if (address.startsWith('unix:') && address.length > 'unix:'.length) {
    return { kind: 'unix', path: address.slice('unix:'.length) };
  }
  const parts = splitHostPort(address, { allowPortZero: true });
  if (parts === undefined) {
    throw new BalancerError(
      'INVALID_ADDRESS',
      `cannot listen on ${JSON.stringify(address)}: it is not host:port (port 0 to 65535, IPv6 in brackets) or unix:path`,
    );
  }
  return { kind: 'tcp', ...parts };
}

/** The inverse of {@link parseListenAddress}. */
export function formatAddress(address: ListenAddress): string {
  return address.kind === 'unix' ? `unix:${address.path}` : joinHostPort(address.host, address.port);
}

/**
 * Which address a server that listens on `address` announces, once it knows its port.
 *
 * @param advertise - a host, to which the bound port is added, or `host:port` (port 0: the bound one).
 * @throws BalancerError INVALID_ADDRESS when there is nothing that a client could dial.
 */
export function advertisedAddress(
  address: ListenAddress,
  advertise: string | undefined,
): (bound: ListenAddress) => string {
  if (advertise === undefined) {
    if (address.kind === 'tcp' && isWildcard(address.host)) {
      throw new BalancerError(
        'INVALID_ADDRESS',
        `${formatAddress(address)} is every address of this machine, and no client can dial it: ` +
          'say with `advertise` which host, or host:port, is to be announced',
      );
    }
    return formatAddress;
  }
  const parts = splitHostPort(advertise, { allowPortZero: true }) ?? hostAlone(advertise);
  if (parts === undefined || isWildcard(parts.host) || (parts.port === 0 && address.kind === 'unix')) {
    throw new BalancerError(
      'INVALID_ADDRESS',
      `cannot announce ${JSON.stringify(advertise)}: \`advertise\` must be a host or host:port that clients can dial`,
    );
  }
  return (bound) =>
    joinHostPort(parts.host, parts.port !== 0 || bound.kind === 'unix' ? parts.port : bound.port);
}

function hostAlone(text: string): { host: string; port: number } | undefined {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  return isIPv6(bare) || !bare.includes(':')
    ? splitHostPort(joinHostPort(bare, 0), { allowPortZero: true })
    : undefined;
}
