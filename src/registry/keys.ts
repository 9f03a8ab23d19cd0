import { BalancerError } from '../base/errors.js';

/** The first part of every key, by default that of the Go program wwcd/grpc-lb, so that each finds the other's servers. */
export const DEFAULT_PREFIX = 'etcdv3_resolver';

/** How the keys of a registry begin. */
export interface KeyForm {
  /** The first part of every key, without slashes at its ends; `''` for none. */
  readonly prefix: string;
  /** Whether a slash comes before it. Default true; go-zero and etcd's own Go package write keys without. */
  readonly leadingSlash?: boolean;
}

/**
 * What the keys of a service begin with: `/<prefix>/<service>/`, or the same without the first slash.
 *
 * @throws BalancerError INVALID_OPTION when the service is no path of one or more names.
 */
export function servicePrefix({ prefix, leadingSlash = true }: KeyForm, service: string): string {
  if (typeof service !== 'string' || service === '' || service.split('/').includes('')) {
    throw new BalancerError(
      'INVALID_OPTION',
      `service ${JSON.stringify(service)} is not a name, nor names joined by single slashes`,
    );
  }
  const root = prefix.replace(/^\/+|\/+$/g, '');
  return `${leadingSlash ? '/' : ''}${root === '' ? '' : `${root}/`}${service}/`;
}

/**
 * True for a key of the service itself. `/p/a/b/h:1` begins like service `a`, but is of service `a/b`: a call for one
 * must not end at the other. (The path of a `unix:` address is no service.)
 */
export function isKeyOf(keysBegin: string, key: string): boolean {
  if (!key.startsWith(keysBegin)) return false;
  return !key.includes('/', keysBegin.length) || key.startsWith('unix:', keysBegin.length);
}
