import { InvalidArgumentError } from 'commander';
import { asError, BalancerError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { parseTarget } from '../registry/dns/target.js';
import { parseHosts } from '../registry/etcd/hosts.js';
import { parseServiceName } from '../registry/kubernetes/service-name.js';
import type { Registry } from '../registry/registry.js';
import { staticRegistry } from '../registry/static.js';

/** Where servers are found, as `--registry` says it: a URI, as gRPC's targets are (grpc/grpc doc/naming.md). */
export type RegistryTarget =
  /** `etcd://host:2379`, several joined by commas. */
  | { readonly kind: 'etcd'; readonly hosts: readonly string[] }
  /** `dns:///name:port`, `dns:///_service._tcp.domain`, `dns://server/name:port`. */
  | { readonly kind: 'dns'; readonly server: string | undefined; readonly service: string }
  /** `kubernetes:///[namespace/]name[:port]`. */
  | { readonly kind: 'kubernetes'; readonly service: string }
  /** `static:///a:1,b:2`. */
  | { readonly kind: 'static'; readonly endpoints: readonly string[] };

const SHAPES =
  'etcd://host:2379, dns:///name:port, dns:///_service._tcp.domain, kubernetes:///namespace/name:port or static:///a:1,b:2';

/**
 * The value of `--registry`, for commander.
 *
 * @throws InvalidArgumentError for another kind of URI; BalancerError INVALID_OPTION for one of these that cannot be,
 *   without the value, in which somebody may have put a password.
 */
export function parseRegistry(text: string): RegistryTarget {
  const [, kind, authority = '', path = ''] = /^([a-z]+):(?:\/\/([^/]*)\/?)?(.*)$/.exec(text) ?? [];
  try {
    switch (kind) {
      case 'etcd':
        return { kind, hosts: parseHosts(authority === '' ? path : authority, false).urls };
      case 'dns':
        parseTarget(path);
        return { kind, server: authority === '' ? undefined : authority, service: path };
      case 'kubernetes':
        mustBeEmpty(authority);
        parseServiceName(path, { namespace: 'default', port: undefined });
        return { kind, service: path };
      case 'static': {
        mustBeEmpty(authority);
        const endpoints = path.split(',').map((endpoint) => endpoint.trim());
        staticRegistry(endpoints);
        return { kind, endpoints };
      }
    }
  } catch (error) {
    throw new BalancerError('INVALID_OPTION', `option '--registry <uri>': ${asError(error).message}`);
  }
  throw new InvalidArgumentError(`It must be ${SHAPES}.`);
}

/** The service that a target names; undefined where that is for `--service` to say. */
export function serviceOf(target: RegistryTarget): string | undefined {
  if (target.kind === 'etcd') return undefined;
  return target.kind === 'static' ? target.endpoints.join(',') : target.service;
}

/** The registry of a target. What it needs is loaded by then. */
export async function openRegistry(target: RegistryTarget, logger: Logger): Promise<Registry> {
  switch (target.kind) {
    case 'etcd': {
      const { EtcdRegistry } = await import('../registry/etcd/registry.js');
      return new EtcdRegistry({ hosts: target.hosts, logger });
    }
    case 'dns': {
      const { DnsRegistry } = await import('../registry/dns/index.js');
      return new DnsRegistry({ logger, ...(target.server !== undefined && { servers: [target.server] }) });
    }
    case 'kubernetes': {
      const { KubernetesRegistry } = await import('../registry/kubernetes/index.js');
      return new KubernetesRegistry({ logger });
    }
    case 'static':
      return staticRegistry(target.endpoints);
  }
}

function mustBeEmpty(authority: string): void {
  if (authority === '') return;
  throw new Error('it wants three slashes: what comes after two is the name of a server to ask');
}
