import { type DescMessage, fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { Pool } from '../../src/balancer/pool/pool.js';
import { type Descriptors, type GatewayServerOptions, readDescriptors } from '../../src/gateway/index.js';
import { staticRegistry } from '../../src/registry/static.js';
import { image } from '../support/image.js';
import { type GatewayFixture, type Handlers, listen, serveBytes } from './support.js';

let odd: Descriptors | undefined;

/** The descriptors of test/gateway/protos/odd, compiled once for a test file. */
export function oddDescriptors(): Descriptors {
  odd ??= readDescriptors(image('odd'));
  return odd;
}

const messageOf = (type: string): DescMessage => oddDescriptors().files.getMessage(type)!;

export function encodeOdd(type: string, json: JsonValue): Buffer {
  const message = messageOf(type);
  return Buffer.from(toBinary(message, fromJson(message, json, { registry: oddDescriptors().types })));
}

export function decodeOdd(type: string, bytes: Buffer): JsonValue {
  const message = messageOf(type);
  return toJson(message, fromBinary(message, bytes), { registry: oddDescriptors().types });
}

/** A listening gateway over a real server of the odd protos. */
export async function startOdd(
  handlers: Handlers = {},
  options: Partial<GatewayServerOptions> = {},
): Promise<GatewayFixture> {
  const descriptors = oddDescriptors();
  const { address } = await serveBytes(descriptors.services, handlers);
  const pool = new Pool({ registry: staticRegistry([address]), service: 'odd' });
  return listen(pool, true, { services: [{ pool, descriptors }], ...options });
}
