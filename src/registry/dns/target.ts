import { isIP } from 'node:net';
import { splitHostPort } from '../../base/endpoint.js';
import { BalancerError } from '../../base/errors.js';

/** What a service's name asks of DNS. */
export type DnsTarget =
  /** A and AAAA of a host; the port is known. `authority` is what its servers are called. */
  | { readonly kind: 'host'; readonly host: string; readonly port: number; readonly authority: string }
  /** SRV of `_service._tcp.domain`, which tells hosts and ports. */
  | { readonly kind: 'srv'; readonly name: string; readonly authority: string };

const SRV = /^_[A-Za-z0-9-]{1,62}\._([A-Za-z]+)\.(.+)$/;

/**
 * `host:port` or `_service._tcp.domain`. Names are absolute, with or without a dot at their end.
 *
 * The servers behind an SRV name are called by its domain, not by the targets of its records: who can forge those could
 * choose the certificate to be shown (RFC 6125, section 6.2.1; RFC 4985).
 *
 * @throws BalancerError INVALID_OPTION for what is neither.
 */
export function parseTarget(service: string): DnsTarget {
  const srv = SRV.exec(service);
  if (srv !== null) {
    const [, protocol, domain] = srv as unknown as [string, string, string];
    if (protocol.toLowerCase() !== 'tcp')
      throw invalid(service, `gRPC is spoken over _tcp, not _${protocol}`);
    if (!isDnsName(service)) throw invalid(service, 'its domain is no DNS name');
    return { kind: 'srv', name: withoutDot(service), authority: withoutDot(domain) };
  }
  const parts = splitHostPort(service);
  if (parts === undefined) throw invalid(service);
  const { port } = parts;
  const host = withoutDot(parts.host);
  if (isIP(host) === 0 && !isDnsName(host)) {
    throw invalid(service, 'its host is no DNS name (write an international one in its ASCII form, xn--...)');
  }
  const authority = service.replace(parts.host, host);
  return { kind: 'host', host, port, authority };
}

/** Up to 253 characters in labels of 1 to 63: letters, digits, hyphens, and underscores, which DNS itself allows. */
export function isDnsName(name: string): boolean {
  const bare = withoutDot(name);
  return bare.length <= 253 && bare.split('.').every((label) => /^[A-Za-z0-9_-]{1,63}$/.test(label));
}

/** The name without the dot that may end an absolute one. */
export function withoutDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

function invalid(service: string, why?: string): BalancerError {
  const wanted = `service ${JSON.stringify(service)} is not host:port (port 1 to 65535) nor _service._tcp.domain`;
  return new BalancerError('INVALID_OPTION', why === undefined ? wanted : `${wanted}: ${why}`);
}
