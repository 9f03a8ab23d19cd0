import type { Metadata } from '@grpc/grpc-js';
import { BalancerError } from '../../base/errors.js';
import { isOnceOnly, isUnsendable } from '../../base/grpc-js/http2-headers.js';

/** PROTOCOL-HTTP2.md, Header-Name. */
const NAME = /^[0-9a-z_.-]+$/;
/** PROTOCOL-HTTP2.md, ASCII-Value. */
const VALUE = /^[\x20-\x7e]*$/;

/** What `:path` and `:authority` are made of: node:http2 takes anything, and a NUL would begin another header. */
const PSEUDO = /^[\x21-\x7e]*$/;

/** The headers of a request, as the caller says them. */
export interface RequestHeaders {
  readonly path: string;
  readonly authority?: string | undefined;
  readonly metadata: Metadata;
}

/**
 * Checks that a call can be sent as the headers of a request, before anything of it is done. What can not makes node:http2
 * throw inside grpc-js, which then drops the whole connection with everybody's calls on it.
 *
 * @throws {@link BalancerError} INVALID_METADATA, by the header's name and never its value, which may be a secret.
 */
export function refuseUnsendable({ path, authority, metadata }: RequestHeaders): void {
  if (!PSEUDO.test(path)) throw refusal('the path of the method is not of printable ASCII');
  if (authority !== undefined && !PSEUDO.test(authority))
    throw refusal('the authority is not of printable ASCII');
  const why = unsendable(metadata);
  if (why !== undefined) throw refusal(why);
}

function refusal(why: string): BalancerError {
  return new BalancerError('INVALID_METADATA', `the call cannot be sent: ${why}`);
}

/** What is wrong with metadata, by {@link refuseUnsendable}; undefined when nothing is. */
export function unsendable(metadata: Metadata): string | undefined {
  const headers = metadata.toJSON() as Record<string, readonly unknown[]>;
  for (const name of Object.keys(headers)) {
    const values = headers[name]!;
    if (isReserved(name)) return `${JSON.stringify(name)} is not metadata's to set`;
    if (!NAME.test(name)) return `${JSON.stringify(name)} is no name of a header`;
    if (values.length > 1 && isOnceOnly(name)) return `${JSON.stringify(name)} has ${values.length} values`;
    const binary = name.endsWith('-bin');
    for (const value of values) {
      if (binary ? !Buffer.isBuffer(value) : typeof value !== 'string' || !VALUE.test(value)) {
        return `${JSON.stringify(name)} has a value that is not ${binary ? 'a Buffer' : 'of printable ASCII'}`;
      }
    }
  }
  return undefined;
}

/** Nobody knows the `content-length` of a call before it is over. */
function isReserved(name: string): boolean {
  return name.startsWith(':') || isUnsendable(name) || name === 'content-length';
}
