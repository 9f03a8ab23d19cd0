import type { MethodPolicy, Policies } from '../core/policies.js';

/** What evenkeel needs of a method: ts-proto's `outputServices=grpc-js` writes it, and so do others for grpc-js. */
export interface MethodDefinition<Request, Response> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
  /** What the proto says of it, where the generator passes that on. */
  readonly options?: { readonly idempotencyLevel?: string; readonly idempotency_level?: string | number };
}

// biome-ignore lint/suspicious/noExplicitAny: a service holds methods of all types; `Stub` brings them back.
export type ServiceDefinition = { readonly [method: string]: MethodDefinition<any, any> };

/** What is known of the calls of a method. */
export interface CallKind {
  readonly unary: boolean;
  /** Unary, or a stream of requests with one response. */
  readonly oneResponse: boolean;
}

/** What a channel knows of a method that it calls. */
export interface KnownMethod extends CallKind {
  readonly policy: MethodPolicy;
}

/** What holds for a method, by what is declared of it and by what its proto says. */
export function policyOf(policies: Policies, definition: MethodDefinition<never, unknown>): MethodPolicy {
  const { path } = definition;
  return isIdempotent(definition) ? policies.ofIdempotent(path) : policies.of(path);
}

/** What the service of a generated client says of its methods, by path; of other clients nothing is known. */
export function knownMethods(Client: object, policies: Policies): ReadonlyMap<string, KnownMethod> {
  const methods = new Map<string, KnownMethod>();
  for (const definition of definitionsOf(Client)) {
    methods.set(definition.path, { ...kindOf(definition), policy: policyOf(policies, definition) });
  }
  return methods;
}

/** The same of one method, without its policy. */
export function knownKind(Client: object, path: string): CallKind | undefined {
  const definition = definitionsOf(Client).find((candidate) => candidate.path === path);
  return definition && kindOf(definition);
}

function definitionsOf(Client: object): MethodDefinition<never, unknown>[] {
  const { service } = Client as { readonly service?: unknown };
  if (typeof service !== 'object' || service === null) return [];
  return Object.values(service).filter((definition) => typeof definition?.path === 'string');
}

/** Of a definition that does not say, nothing is taken for granted. */
function kindOf({ requestStream, responseStream }: MethodDefinition<never, unknown>): CallKind {
  const oneResponse = responseStream === false;
  return { unary: requestStream === false && oneResponse, oneResponse };
}

/** As ts-proto's generic definitions say it, and as `@grpc/proto-loader` does. */
function isIdempotent({ options }: MethodDefinition<never, unknown>): boolean {
  const level = options?.idempotencyLevel ?? options?.idempotency_level;
  return level === 'IDEMPOTENT' || level === 'NO_SIDE_EFFECTS' || level === 1 || level === 2;
}

/**
 * A request as bytes, which is all that a transport takes.
 *
 * @throws what the serializer throws, and TypeError for what it should not have returned.
 */
export function bytesOf<Request>(serialize: (request: Request) => Uint8Array, request: Request): Buffer {
  const bytes: unknown = serialize(request);
  if (bytes instanceof Uint8Array) return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
  throw new TypeError('requestSerialize did not return a Buffer');
}
