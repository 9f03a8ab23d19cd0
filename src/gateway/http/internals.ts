import type { CallError } from '../../balancer/calls/call-error.js';
import { Status } from '../../base/errors.js';

/** What a transport says of itself, and of where it went, by how it begins; and what a client of the gateway is told instead. */
const OF_THE_TRANSPORT: readonly (readonly [RegExp, string])[] = [
  [/^Deadline exceeded(?: after [\d.]+s|$)/, 'the server did not answer in time'],
  [/^Getting metadata from plugin failed/, 'the call could not be given its credentials'],
  [
    /^(?:\w+: )?(?:No connection established|Name resolution failed|Failed to parse|Unrecognized scheme|(?:connect|getaddrinfo|read|write) E[A-Z]+)/,
    'the service cannot be reached',
  ],
  [/^Invalid status from control plane/, 'the call could not be started'],
];

/** Statuses with which transports, too, say what is wrong. */
const MAYBE_OF_THE_TRANSPORT: ReadonlySet<number> = new Set([
  Status.UNKNOWN,
  Status.DEADLINE_EXCEEDED,
  Status.INTERNAL,
  Status.UNAVAILABLE,
]);

const ANY_ADDRESS = /(?:\b\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.%\w]+\]):\d{1,5}\b/gi;
const THE_SERVER = 'the server';

/** The message of a failed call without what is nobody's business outside: where the servers are, and what plugins say. */
export function withoutInternals({ code, details, address }: CallError): string {
  for (const [said, instead] of OF_THE_TRANSPORT) if (said.test(details)) return instead;
  const known = address === undefined ? details : withoutAddress(details, address);
  return MAYBE_OF_THE_TRANSPORT.has(code) ? known.replace(ANY_ADDRESS, THE_SERVER) : known;
}

/** Without `host:port`, and, of a host that is a name, without that. */
function withoutAddress(text: string, address: string): string {
  const host = address.slice(0, address.lastIndexOf(':'));
  const path = address.replace(/^unix:/, '');
  const without = text.replaceAll(address, THE_SERVER);
  return /[a-z]\./i.test(host) || path !== address
    ? without.replaceAll(path === address ? host : path, THE_SERVER)
    : without;
}
