import { Option } from 'commander';
import { http2Transport } from '../balancer/transport/http2/index.js';
import type { Transport } from '../balancer/transport/transport.js';

export const transportNames = ['grpc-js', 'http2'] as const;

export type TransportName = (typeof transportNames)[number];

/** `--transport`, for every program that makes calls. */
export function transportOption(): Option {
  return new Option('--transport <name>', 'what carries the calls: grpc-js, or an HTTP/2 of our own')
    .choices(transportNames)
    .default('grpc-js' satisfies TransportName);
}

/** What a pool's options say of it: nothing, for its default. */
export function transportNamed(name: TransportName): { readonly transport?: Transport } {
  return name === 'http2' ? { transport: http2Transport() } : {};
}
