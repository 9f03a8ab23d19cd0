import { type Clock, systemClock } from '../../base/clock.js';
import { BalancerError } from '../../base/errors.js';
import { type Logger, silentLogger } from '../../base/logger.js';
import { numberOption, objectOption } from '../../base/options.js';
import { type Random, systemRandom } from '../../base/random.js';
import type { ClusterConfig } from './cluster.js';
import { findCluster } from './config-files.js';
import { parsePort } from './service-name.js';
import type { Family } from './slices.js';

export interface KubernetesOptions {
  /** Of services that say none. Default: that of the pod, or of the context; else `default`. */
  readonly namespace?: string;
  /**
   * Of services that say none: a name of the Service's ports, or the number of a port of its pods (the Service's
   * `targetPort`, not its `port`). Default: the only one that there is.
   */
  readonly port?: string | number;
  /** A kubeconfig file. Default: what a pod has of its cluster; outside of one `$KUBECONFIG`, or `~/.kube/config`. */
  readonly kubeconfig?: string;
  /** A context of the kubeconfig. Default: the current one. */
  readonly context?: string;
  /** A bearer token in place of the configured one, asked for with each request. */
  readonly token?: () => string | Promise<string>;
  /** Only IPv4, or only IPv6. Default: of a service that has both, IPv4. */
  readonly family?: 4 | 6;
  /** How long a connection to the API server may take, TLS included, in milliseconds. Default 1,500. */
  readonly connectTimeoutMs?: number;
  /** How long an answer may take to begin, or a page of a list to come, in milliseconds. Default 10,000. */
  readonly requestTimeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Default: silent. */
  readonly logger?: Logger;
}

const NAMES: Record<keyof KubernetesOptions, true> = {
  namespace: true,
  port: true,
  kubeconfig: true,
  context: true,
  token: true,
  family: true,
  connectTimeoutMs: true,
  requestTimeoutMs: true,
  clock: true,
  random: true,
  logger: true,
};

/** {@link KubernetesOptions}, checked and complete. */
export interface KubernetesSettings {
  /** Read anew for each connection: what is in its files changes. */
  readonly cluster: () => ClusterConfig;
  readonly namespace: string;
  readonly port: string | number | undefined;
  readonly family: Family | undefined;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** @throws BalancerError INVALID_OPTION, naming what cannot be. */
export function kubernetesSettings(given: KubernetesOptions): KubernetesSettings {
  const options = objectOption('the options of a KubernetesRegistry', given, NAMES);
  const { family, port, token } = options;
  if (family !== undefined && family !== 4 && family !== 6) {
    throw new BalancerError('INVALID_OPTION', `family is ${JSON.stringify(family)}, and must be 4 or 6`);
  }
  if (token !== undefined && typeof token !== 'function') {
    throw new BalancerError('INVALID_OPTION', 'token is not a function that returns one');
  }
  const { kubeconfig, context } = options;
  const cluster = () => findCluster({ kubeconfig, context, token });
  // What is wrong with it is to show here, and not at the first session.
  const found = cluster();
  return {
    cluster,
    namespace: options.namespace ?? found.namespace ?? 'default',
    port: port === undefined ? undefined : parsePort(port),
    family,
    connectTimeoutMs: numberOption('connectTimeoutMs', options.connectTimeoutMs ?? 1_500, { min: 1 }),
    requestTimeoutMs: numberOption('requestTimeoutMs', options.requestTimeoutMs ?? 10_000, { min: 1 }),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom(),
    logger: options.logger ?? silentLogger,
  };
}
