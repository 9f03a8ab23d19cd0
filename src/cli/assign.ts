import { BalancerError } from '../base/errors.js';
import type { Descriptors } from '../gateway/index.js';

/** One `registry-name` or `registry-name=package.Service`: a name in the registry, and the service that its servers serve. */
export interface ServiceSpec {
  readonly name: string;
  /** Undefined: to be told by the descriptors. */
  readonly service: string | undefined;
}

/** The services of one set of descriptors that the servers behind one name in the registry serve. */
export interface Assignment {
  readonly name: string;
  readonly descriptors: Descriptors;
  readonly services: readonly string[];
}

/**
 * Finds which services of the descriptors are behind which names. A name without a service is that of a service itself, or
 * stands for all services that no other name stands for; of those there may be one.
 *
 * @throws {@link BalancerError} INVALID_OPTION, naming what is unknown, or cannot be told.
 */
export function assign(
  specs: readonly ServiceSpec[],
  descriptors: readonly Descriptors[],
): readonly Assignment[] {
  const known = descriptors.flatMap((each) => each.services.map(({ typeName }) => typeName));
  const named = specs.map(({ name, service = known.includes(name) ? name : undefined }) => ({
    name,
    service,
  }));
  for (const { service } of named) {
    if (service !== undefined && !known.includes(service)) {
      throw invalid(
        `the descriptors have no service ${JSON.stringify(service)}, but: ${known.join(', ') || 'none'}`,
      );
    }
  }
  const taken = new Set(named.map(({ service }) => service));
  const left = known.filter((service) => !taken.has(service));
  const bare = named.filter(({ service }) => service === undefined).map(({ name }) => name);
  if (bare.length > 1 || (bare.length === 1 && left.length === 0)) {
    const among = left.length === 0 ? 'none is left' : `any of ${left.join(', ')} could be`;
    throw invalid(
      `which services are behind ${bare.join(' and ')}? ${among}: say --service ${bare[0]}=package.Service`,
    );
  }
  return named.flatMap(({ name, service }) =>
    descriptors.flatMap((each) => {
      const here = each.services.map(({ typeName }) => typeName);
      const services =
        service === undefined
          ? here.filter((one) => left.includes(one))
          : here.filter((one) => one === service);
      return services.length === 0 ? [] : [{ name, descriptors: each, services }];
    }),
  );
}

function invalid(message: string): BalancerError {
  return new BalancerError('INVALID_OPTION', message);
}
