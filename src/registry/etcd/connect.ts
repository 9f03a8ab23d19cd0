import { BalancerError } from '../../base/errors.js';
import { Etcd3Connection } from './etcd3/connection.js';
import type { EtcdConnection } from './port.js';
import type { EtcdSettings } from './settings.js';

/**
 * A connection to the next member. This is the one place that says by which client.
 *
 * @throws BalancerError INVALID_OPTION when a certificate or a key is none. Does not connect yet.
 */
export function connect(settings: EtcdSettings): EtcdConnection {
  return new Etcd3Connection(settings);
}

/** What went wrong with a member, for people. grpc-js ends some of its texts with the label of an empty field. */
export function unavailable(host: string, error: Error): BalancerError {
  const reason = error.message.replace(/ Resolution note: $/, '');
  return new BalancerError('REGISTRY_UNAVAILABLE', `etcd at ${host}: ${reason}`, { cause: error });
}
