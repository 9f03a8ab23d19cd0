import { isIPv6 } from 'node:net';
import { InvalidArgumentError } from 'commander';
import { joinHostPort, splitHostPort } from '../base/endpoint.js';
import { asError, BalancerError } from '../base/errors.js';
import { parseHosts } from '../registry/etcd/hosts.js';
import type { ServiceSpec } from './assign.js';

// Parsers of flag values, for commander: each returns the value, or throws an InvalidArgumentError whose message
// commander puts behind the name of the flag and what was given.

/** 0 to 65535. */
export function parsePort(text: string): number {
  const port = wholeNumber(text);
  if (port === undefined || port > 65_535) {
    throw new InvalidArgumentError('It must be a whole number from 0 to 65535.');
  }
  return port;
}

/** What a timer can wait at most, in milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

/** Whole milliseconds, from 1 up. */
export function parseIntervalMs(text: string): number {
  const ms = wholeNumber(text);
  if (ms === undefined || ms < 1 || ms > LONGEST_MS) {
    throw new InvalidArgumentError(`It must be a whole number of milliseconds from 1 to ${LONGEST_MS}.`);
  }
  return ms;
}

/** A whole number from 1 up to a million. */
export function parseCount(text: string): number {
  const count = wholeNumber(text);
  if (count === undefined || count < 1 || count > 1_000_000) {
    throw new InvalidArgumentError('It must be a whole number from 1 to 1000000.');
  }
  return count;
}

/** A size in bytes, from 1 up to a gigabyte. */
export function parseBytes(text: string): number {
  const bytes = wholeNumber(text);
  if (bytes === undefined || bytes < 1 || bytes > 2 ** 30) {
    throw new InvalidArgumentError(`It must be a whole number of bytes from 1 to ${2 ** 30}.`);
  }
  return bytes;
}

/** A name in the registry, and the service behind it after an equals sign; with those before it. */
export function parseService(text: string, before: readonly ServiceSpec[] = []): readonly ServiceSpec[] {
  const match = /^([^=\s]+)(?:=([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*))?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be a name, or name=package.Service.');
  return [...before, { name: match[1]!, service: match[2] }];
}

/** A host name or an IP address, IPv6 with or without brackets; returned without. */
export function parseHost(text: string): string {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  if (bare.includes(':') ? !isIPv6(bare) : splitHostPort(joinHostPort(bare, 1)) === undefined) {
    throw new InvalidArgumentError('It must be a host name or an IP address, without a port.');
  }
  return bare;
}

/**
 * The URLs of an etcd cluster, joined by commas.
 *
 * @throws BalancerError INVALID_OPTION. Not commander's own error, which prints the value as it was given: somebody
 *   may have put a password there.
 */
export function parseEtcdHosts(text: string): readonly string[] {
  try {
    return parseHosts(text, false).urls;
  } catch (error) {
    throw new BalancerError('INVALID_OPTION', `option '--reg <urls>': ${asError(error).message}`);
  }
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
