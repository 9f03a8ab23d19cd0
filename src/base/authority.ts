import { type Endpoint, splitHostPort } from './endpoint.js';

/**
 * The metadata under which a registry that finds servers by a name says that name, `host` or `host:port`, where the
 * address itself is an IP: `:authority` is the whole of it, and TLS asks for the host in the server's certificate.
 */
export const AUTHORITY = 'authority';

/** What hosts and ports are made of, and nothing that a header could not carry. */
const HEADER_SAFE = /^[\w.:[\]%-]{1,300}$/;

export interface Authority {
  /** `host` or `host:port`: what requests carry as `:authority`. */
  readonly authority: string;
  /** The name that the server's certificate must hold. */
  readonly serverName: string;
}

/**
 * What an endpoint is called; undefined where its address is its name. What is no host name counts as none: metadata
 * come from outside, and this goes into every request.
 */
export function authorityOf({ metadata }: Endpoint): Authority | undefined {
  const authority = metadata[AUTHORITY];
  if (authority === undefined || !HEADER_SAFE.test(authority)) return undefined;
  const serverName = splitHostPort(authority)?.host ?? splitHostPort(`${authority}:1`)?.host;
  return serverName === undefined ? undefined : { authority, serverName };
}
