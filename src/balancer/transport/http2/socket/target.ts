import { joinHostPort, splitHostPort } from '../../../../base/endpoint.js';
import { BalancerError } from '../../../../base/errors.js';

/** Where to connect to. */
export type Target =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** @throws {@link BalancerError} INVALID_ADDRESS */
export function targetOf(address: string): Target {
  if (address.startsWith('unix:')) {
    const rest = address.slice('unix:'.length);
    const path = rest.startsWith('//') ? rest.slice(2) : rest;
    if (path !== '') return { kind: 'unix', path };
  }
  const tcp = splitHostPort(address);
  if (tcp !== undefined) return { kind: 'tcp', ...tcp };
  throw new BalancerError(
    'INVALID_ADDRESS',
    `address ${JSON.stringify(address)} is neither host:port nor unix:path`,
  );
}

/** What `:authority` says of it, as grpc-js says it. */
export function authorityOf(target: Target): string {
  return target.kind === 'unix' ? 'localhost' : joinHostPort(target.host, target.port);
}
