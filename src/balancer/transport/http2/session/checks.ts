import type { Fields } from '../hpack/fields.js';

/** Tied to a connection of HTTP/1.1 (RFC 9113, section 8.2.2). */
const CONNECTION_SPECIFIC = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);
/** RFC 9113, section 8.2.1: no control characters, no space, no upper case, nothing beyond ASCII; no colon. */
const NAME = /^[!-9;-@[-~]+$/;
const FORBIDDEN_IN_VALUE = /[\0\r\n]/;

/**
 * What makes a response malformed (RFC 9113, sections 8.2, 8.3 and 8.3.2); undefined when it is as it should be. Blocks come
 * again and again, and are the same objects then: each is looked through once.
 *
 * Spaces around a value are let through, as grpc-go lets them: servers send status messages that end with one.
 */
export function faultOf(fields: Fields, kind: 'headers' | 'trailers'): string | undefined {
  const before = fields.faults[kind];
  if (before !== undefined) return before === '' ? undefined : before;
  const fault = findFault(fields, kind === 'headers');
  fields.faults[kind] = fault ?? '';
  return fault;
}

function findFault({ names, values }: Fields, withStatus: boolean): string | undefined {
  let status: string | undefined;
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    const value = values[i]!;
    if (name.startsWith(':')) {
      if (!withStatus) return `the pseudo-header ${shown(name)} among trailers`;
      if (name !== ':status') return `the pseudo-header ${shown(name)} in a response`;
      if (status !== undefined) return 'two :status';
      if (i > 0) return ':status after other fields';
      status = value;
    } else {
      if (!NAME.test(name)) return `the field name ${shown(name)}`;
      if (CONNECTION_SPECIFIC.has(name)) return `the field ${name}`;
    }
    if (FORBIDDEN_IN_VALUE.test(value)) return `a control character in ${shown(name)}`;
  }
  if (withStatus && (status === undefined || !/^[1-9]\d\d$/.test(status))) {
    return status === undefined ? 'no :status' : `the :status ${shown(status)}`;
  }
  return undefined;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}
