import type { DescService, Registry } from '@bufbuild/protobuf';
import type { Pool } from '../../balancer/pool/pool.js';
import { BalancerError } from '../../base/errors.js';
import type { Descriptors } from '../descriptors/descriptor-set.js';
import type { JsonOptions } from '../json/options.js';
import { type Binding, bindingsOf, describeBinding } from '../rules/http-rule.js';
import { parsePathTemplate } from '../rules/path-template.js';
import { Router } from '../rules/router.js';
import { Transcoder } from '../rules/transcoder.js';
import { type Upstream, upstreamOf } from './upstream.js';

/** Services of one set of descriptors, and the pool that their calls go over. */
export interface GatewayService {
  readonly pool: Pool;
  readonly descriptors: Descriptors;
  /** Which of the services in the descriptors, by their full names. Default: all. */
  readonly services?: readonly string[];
}

/** A binding, ready to be called. */
export interface Route {
  readonly binding: Binding;
  readonly transcoder: Transcoder;
  readonly upstream: Upstream;
  readonly pool: Pool;
  readonly types: Registry;
}

/** Where the gateway itself answers: no route. */
export type OwnPath = string;

export interface RouteOptions {
  /** Binds methods without a `google.api.http` option to `POST /package.Service/Method`. */
  readonly all: boolean;
  readonly json: JsonOptions;
  /** Path templates that the gateway answers itself, by GET. */
  readonly own: readonly OwnPath[];
}

/**
 * All routes of the services.
 *
 * @throws {@link BalancerError} INVALID_OPTION: for a rule that cannot be; for two that match the same requests, naming
 *   both; for a service that is not in the descriptors, or served by two pools; and when there is no route at all.
 */
export function routesOf(
  services: readonly GatewayService[],
  { all, json, own }: RouteOptions,
): { readonly routes: readonly Route[]; readonly router: Router<Route | OwnPath> } {
  const router = new Router<Route | OwnPath>();
  for (const path of own) router.add('GET', parsePathTemplate(path), path);
  const routes: Route[] = [];
  const served = new Set<string>();
  for (const { pool, descriptors, services: names } of services) {
    for (const service of chosen(descriptors, names)) {
      if (served.has(service.typeName)) throw invalid(`${service.typeName} is served twice`);
      served.add(service.typeName);
      for (const binding of service.methods.flatMap((method) => bindingsOf(method, all))) {
        const { types } = descriptors;
        const transcoder = new Transcoder(binding, types, json);
        const route: Route = { binding, transcoder, upstream: upstreamOf(binding, pool), pool, types };
        const other = router.add(binding.httpMethod, binding.template, route);
        if (other !== undefined) throw collision(route, other);
        routes.push(route);
      }
    }
  }
  if (routes.length === 0) {
    const names = [...served].join(', ') || 'the descriptors';
    throw invalid(
      `there is nothing to serve: no method of ${names} has a google.api.http rule; ` +
        'with `all` (--all) those without are served at POST /package.Service/Method',
    );
  }
  return { routes, router };
}

function chosen({ services }: Descriptors, names: readonly string[] | undefined): readonly DescService[] {
  if (names === undefined) return services;
  return names.map((name) => {
    const service = services.find(({ typeName }) => typeName === name);
    if (service !== undefined) return service;
    const known = services.map(({ typeName }) => typeName).join(', ') || 'none';
    throw invalid(`the descriptors have no service ${JSON.stringify(name)}, but: ${known}`);
  });
}

function collision(route: Route, other: Route | OwnPath): BalancerError {
  const second = typeof other === 'string' ? `the gateway's own ${other}` : describeBinding(other.binding);
  return invalid(`${describeBinding(route.binding)} and ${second} match the same requests`);
}

function invalid(message: string): BalancerError {
  return new BalancerError('INVALID_OPTION', message);
}
