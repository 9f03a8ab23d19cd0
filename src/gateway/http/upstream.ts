import { MethodOptions_IdempotencyLevel as Idempotency } from '@bufbuild/protobuf/wkt';
import type { CallOptions } from '../../balancer/calls/stub.js';
import type { Pool } from '../../balancer/pool/pool.js';
import type { Binding } from '../rules/http-rule.js';

/**
 * A method of a service, called over a pool with serialized requests. Responses are bytes, too: what the gateway makes of them, or
 * cannot, says nothing of the server that sent them.
 */
export type Upstream =
  | { readonly kind: 'unary'; call(request: Buffer, options: CallOptions): Promise<Buffer> }
  | {
      readonly kind: 'server_streaming';
      call(request: Buffer, options: CallOptions): AsyncGenerator<Buffer, void, undefined>;
    }
  | {
      readonly kind: 'client_streaming';
      call(requests: AsyncIterable<Buffer>, options: CallOptions): Promise<Buffer>;
    }
  | {
      readonly kind: 'bidi_streaming';
      call(requests: AsyncIterable<Buffer>, options: CallOptions): AsyncGenerator<Buffer, void, undefined>;
    };

const AS_IT_IS = (bytes: Buffer) => bytes;

/**
 * The method that a binding calls. It may be retried when the proto says that it is idempotent, and when it is called by
 * GET or HEAD: those are safe, so whatever stands before a server may repeat them (RFC 9110, 9.2.2).
 */
export function upstreamOf({ method, httpMethod }: Binding, pool: Pool): Upstream {
  const safe = httpMethod === 'GET' || httpMethod === 'HEAD';
  const definition = {
    path: `/${method.parent.typeName}/${method.name}`,
    requestSerialize: AS_IT_IS,
    responseDeserialize: AS_IT_IS,
    options: { idempotency_level: safe ? Idempotency.NO_SIDE_EFFECTS : method.idempotency },
  };
  const { methodKind: kind } = method;
  switch (kind) {
    case 'unary':
      return {
        kind,
        ...pool.stub({ call: { ...definition, requestStream: false, responseStream: false } as const }),
      };
    case 'server_streaming':
      return {
        kind,
        ...pool.stub({ call: { ...definition, requestStream: false, responseStream: true } as const }),
      };
    case 'client_streaming':
      return {
        kind,
        ...pool.stub({ call: { ...definition, requestStream: true, responseStream: false } as const }),
      };
    case 'bidi_streaming':
      return {
        kind,
        ...pool.stub({ call: { ...definition, requestStream: true, responseStream: true } as const }),
      };
  }
}
