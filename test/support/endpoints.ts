import type { Endpoint } from '../../src/base/endpoint.js';

/** An endpoint in a line: `endpoint('a', 'h:1', { weight: 2 })`. */
export function endpoint(
  id: string,
  address: string,
  { weight = 1, metadata = {} }: Partial<Pick<Endpoint, 'weight' | 'metadata'>> = {},
): Endpoint {
  return { id, address, weight, metadata };
}
