import { joinHostPort, splitHostPort } from '../../base/endpoint.js';
import { BalancerError } from '../../base/errors.js';

/** Where etcd listens when nothing else is said. */
const DEFAULT_PORT = 2379;

/** The members of an etcd cluster, as `http://host:port` or all as `https://host:port`. */
export interface EtcdHosts {
  readonly urls: readonly [string, ...string[]];
  readonly secure: boolean;
}

/**
 * @param hosts - one or several of `host`, `host:port`, `http://host:port` and `https://host:port`, in an array or
 *   joined by commas. The port is 2379 unless given.
 * @param secure - whether a host without a scheme is spoken to over TLS.
 * @throws BalancerError INVALID_OPTION, naming the host that cannot be.
 */
export function parseHosts(hosts: string | readonly string[], secure: boolean): EtcdHosts {
  const list = typeof hosts === 'string' ? hosts.split(',') : hosts;
  if (!Array.isArray(list) || list.some((host) => typeof host !== 'string')) {
    throw new BalancerError('INVALID_OPTION', '`hosts` of etcd is no string, and no array of strings');
  }
  // What may be a password is not repeated, nor the part of one before a comma.
  if (list.some((host) => host.includes('@'))) {
    throw new BalancerError(
      'INVALID_OPTION',
      'an etcd host holds an @; give the user and the password by `auth`',
    );
  }
  const [first, ...rest] = list.map((host) => parseHost(host.trim(), secure));
  if (first === undefined) throw new BalancerError('INVALID_OPTION', 'no etcd host is given');
  const odd = rest.find((host) => host.secure !== first.secure);
  if (odd !== undefined) {
    throw new BalancerError('INVALID_OPTION', `etcd hosts mix http and https: ${first.url} and ${odd.url}`);
  }
  return { urls: [first.url, ...rest.map(({ url }) => url)], secure: first.secure };
}

function parseHost(text: string, secureByDefault: boolean): { url: string; secure: boolean } {
  const match = /^(?:(https?):\/\/)?([^/]*)\/?$/i.exec(text);
  const authority = match?.[2] ?? '';
  const parts = splitHostPort(authority) ?? splitHostPort(`${authority}:${DEFAULT_PORT}`);
  if (match === null || parts === undefined) {
    throw new BalancerError(
      'INVALID_OPTION',
      `etcd host ${JSON.stringify(text)} is not host:port, http://host:port or https://host:port`,
    );
  }
  const scheme = match[1]?.toLowerCase() ?? (secureByDefault ? 'https' : 'http');
  return { url: `${scheme}://${joinHostPort(parts.host, parts.port)}`, secure: scheme === 'https' };
}
