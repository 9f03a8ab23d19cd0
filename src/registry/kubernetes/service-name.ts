import { BalancerError } from '../../base/errors.js';

/** Of which Service, and at which port of its pods. */
export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
  /** A name of the Service's ports, or the number of a port of its pods; undefined: the only one that there is. */
  readonly port: string | number | undefined;
}

/** RFC 1123 labels, as names of Services and namespaces are. */
const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * `[namespace/]name[:port]`, the port by name or number.
 *
 * @throws BalancerError INVALID_OPTION for what cannot be a Service.
 */
export function parseServiceName(
  service: string,
  defaults: { readonly namespace: string; readonly port: string | number | undefined },
): ServiceName {
  const match = /^(?:([^/:]*)\/)?([^/:]+)(?::([^/:]+))?$/.exec(service);
  const [, namespace = defaults.namespace, name = '', port] = match ?? [];
  if (match === null || !LABEL.test(name) || !LABEL.test(namespace)) {
    throw new BalancerError(
      'INVALID_OPTION',
      `service ${JSON.stringify(service)} is not [namespace/]name[:port] with names of lower-case letters, digits and hyphens`,
    );
  }
  return { namespace, name, port: port === undefined ? defaults.port : parsePort(port) };
}

/**
 * A port as it is written: a number from 1 to 65535, or a name.
 *
 * @throws BalancerError INVALID_OPTION for what is neither.
 */
export function parsePort(port: string | number): string | number {
  const number = typeof port === 'number' ? port : /^\d+$/.test(port) ? Number(port) : undefined;
  const good =
    number === undefined
      ? typeof port === 'string' && LABEL.test(port)
      : Number.isInteger(number) && number > 0 && number <= 65_535;
  if (good) return number ?? port;
  throw new BalancerError(
    'INVALID_OPTION',
    `port ${JSON.stringify(port)} is neither a number from 1 to 65535 nor the name of a port`,
  );
}
