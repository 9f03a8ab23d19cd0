import type { DescService, Registry } from '@bufbuild/protobuf';
import type { Pool } from '../../balancer/pool/pool.js';
import { BalancerError } from '../../base/errors.js';
import type { Descriptors } from '../descriptors/descriptor-set.js';
import type { JsonOptions } from '../json/options.js';
import { type Binding, bindingsOf, describeBinding } from '../rules/http-rule.js';
import { parsePathTemplate } from '../rules/path-template.js';
import { Requests } from '../rules/requests.js';
import { Responses } from '../rules/responses.js';
import { Router } from '../rules/router.js';
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
  readonly requests: Requests;
  readonly responses: Responses;
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
  /** OPTIONS is for preflight requests, and never gets here. */
  readonly preflight: boolean;
  /** Hears why something cannot be served, which is then left out; undefined: then nothing is served. */
  readonly skip: ((reason: string) => void) | undefined;
  /** Path templates that the gateway answers itself, by GET. */
  readonly own: readonly OwnPath[];
}

/**
 * All routes of the services.
 *
 * @throws {@link BalancerError} INVALID_OPTION: for a rule that cannot be; for two that match the same requests, naming
 *   both; for a service that is served by two pools (none of these when they are skipped: then the first is served); for a service
 *   that is not in the descriptors; and when there is no route at all.
 */
export function routesOf(
  services: readonly GatewayService[],
  { all, json, own, preflight, skip }: RouteOptions,
): { readonly routes: readonly Route[]; readonly router: Router<Route | OwnPath> } {
  const router = new Router<Route | OwnPath>();
  for (const path of own) router.add('GET', parsePathTemplate(path), path);
  const routes: Route[] = [];
  const unservable = (error: BalancerError) => {
    if (skip === undefined) throw error;
    skip(error.message);
  };
  const served = new Set<string>();
  for (const { pool, descriptors, services: names } of services) {
    for (const service of chosen(descriptors, names)) {
      if (served.has(service.typeName)) {
        unservable(invalid(`${service.typeName} is served twice`));
        continue;
      }
      served.add(service.typeName);
      for (const binding of service.methods.flatMap((method) => bindingsOf(method, all, unservable))) {
        if (preflight && binding.httpMethod === 'OPTIONS') {
          const what = `${describeBinding(binding)} cannot be reached`;
          unservable(invalid(`${what}: with CORS, OPTIONS is for preflight requests`));
          continue;
        }
        const route = routeOf(binding, pool, descriptors.types, json);
        const other = router.add(binding.httpMethod, binding.template, route);
        if (other === undefined) routes.push(route);
        else unservable(collision(route, other));
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

function routeOf(binding: Binding, pool: Pool, types: Registry, json: JsonOptions): Route {
  return {
    binding,
    requests: new Requests(binding, types, json),
    responses: new Responses(binding, types, json),
    upstream: upstreamOf(binding, pool),
    pool,
    types,
  };
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
