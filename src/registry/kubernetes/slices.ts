import { isIPv4, isIPv6 } from 'node:net';
import { AUTHORITY } from '../../base/authority.js';
import { DEFAULT_WEIGHT, type Endpoint, joinHostPort } from '../../base/endpoint.js';
import type { ServiceName } from './service-name.js';

export type Family = 4 | 6;

/** What one EndpointSlice says of a service, as far as it is to be believed. */
export interface Slice {
  readonly name: string;
  readonly family: Family;
  /** Those that are to have calls, each once. */
  readonly endpoints: readonly Endpoint[];
  /** How many pods are ready and have no port that could be called. */
  readonly portless: number;
  /** What is wrong with it. */
  readonly complaint: string | undefined;
}

type Json = Readonly<Record<string, unknown>>;

/** The API allows 1,000 endpoints in a slice (discovery/v1 EndpointSlice). */
const MAX_ENDPOINTS = 1_000;
/** Longer than any name of Kubernetes: a text that is longer is none. */
const MAX_TEXT = 253;

/**
 * Reads an EndpointSlice (discovery.k8s.io/v1). What makes no sense is left out, and complained of.
 *
 * An endpoint is to have calls when it is ready (not said counts as ready) and not terminating; terminating pods that
 * still serve get no new calls, and finish those that they have: they drain. Only the first address of an endpoint means
 * anything.
 *
 * @returns undefined when it has no name, without which it cannot be told from others.
 */
export function readSlice(object: unknown, service: ServiceName): Slice | undefined {
  const slice = asObject(object);
  const name = text(asObject(slice.metadata).name);
  if (name === undefined) return undefined;
  const family = slice.addressType === 'IPv4' ? 4 : slice.addressType === 'IPv6' ? 6 : undefined;
  if (family === undefined) {
    const complaint = `EndpointSlice ${name}: its addressType is not IPv4 or IPv6`;
    return { name, family: 4, endpoints: [], portless: 0, complaint };
  }
  const port = portOf(slice.ports, service.port);
  const announced = asArray(slice.endpoints).slice(0, MAX_ENDPOINTS).map(asObject).filter(takesCalls);
  if (typeof port === 'string') {
    const complaint = `EndpointSlice ${name}: ${port}`;
    const portless = announced.length;
    return { name, family, endpoints: [], portless, complaint: portless > 0 ? complaint : undefined };
  }
  const byAddress = new Map<string, Endpoint>();
  let unreadable = 0;
  for (const endpoint of announced) {
    const [ip] = asArray(endpoint.addresses);
    if (typeof ip === 'string' && (family === 4 ? isIPv4(ip) : isIPv6(ip))) {
      const address = joinHostPort(ip, port);
      if (!byAddress.has(address)) byAddress.set(address, endpointOf(address, endpoint, service));
    } else {
      unreadable++;
    }
  }
  const complaint =
    unreadable > 0
      ? `EndpointSlice ${name}: ${unreadable} endpoints have no IPv${family} address`
      : undefined;
  return { name, family, endpoints: [...byAddress.values()], portless: 0, complaint };
}

function takesCalls({ conditions }: Json): boolean {
  const { ready, terminating } = asObject(conditions);
  return ready !== false && terminating !== true;
}

function endpointOf(address: string, endpoint: Json, { namespace, name }: ServiceName): Endpoint {
  const metadata: Record<string, string> = { [AUTHORITY]: `${name}.${namespace}.svc` };
  const put = (key: string, value: unknown) => {
    const known = text(value);
    if (known !== undefined) metadata[key] = known;
  };
  put('zone', endpoint.zone);
  put('node', endpoint.nodeName);
  const target = asObject(endpoint.targetRef);
  if (target.kind === 'Pod') put('pod', target.name);
  const zones = asArray(asObject(endpoint.hints).forZones).slice(0, 8);
  const hinted = zones.flatMap((zone) => text(asObject(zone).name) ?? []);
  if (hinted.length > 0) metadata.hints = hinted.join(',');
  return { id: `${namespace}/${name}/${address}`, address, weight: DEFAULT_WEIGHT, metadata };
}

/** The port to call, or why there is none. */
function portOf(listed: unknown, wanted: string | number | undefined): number | string {
  if (typeof wanted === 'number') return wanted;
  const ports = asArray(listed)
    .map(asObject)
    .filter(({ protocol }) => protocol === undefined || protocol === null || protocol === 'TCP')
    .flatMap(({ name, port }) => (isPort(port) ? { name: text(name) ?? '', port } : []));
  const found = wanted === undefined ? ports : ports.filter(({ name }) => name === wanted);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.port;
  const there = ports.map(({ name, port }) => (name === '' ? String(port) : `${name} (${port})`)).slice(0, 8);
  if (there.length === 0) return 'it lists no TCP port; give a number, as in "name:50051"';
  const list = there.join(', ');
  return wanted === undefined
    ? `it has several ports, ${list}; say which, as in "name:${ports[0]!.name || ports[0]!.port}"`
    : `it has no port named ${JSON.stringify(wanted)}, but ${list}`;
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 65_535;
}

function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT ? value : undefined;
}
