import { fromBinary, type JsonValue, type Registry, toJson } from '@bufbuild/protobuf';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import type { StatusObject } from '@grpc/grpc-js';
import { StatusSchema } from '../../../generated/google/rpc/status_pb.js';

/** Where a server puts a serialized google.rpc.Status beside the status of gRPC itself. */
const STATUS_DETAILS = 'grpc-status-details-bin';

/**
 * The details that a server gave with a status, as JSON. One whose type is not among `types` comes as it is: its
 * `@type`, and its bytes in base64 as `value`.
 */
export function statusDetails({ metadata }: StatusObject, types: Registry): readonly JsonValue[] {
  const [bytes] = metadata.get(STATUS_DETAILS);
  if (!Buffer.isBuffer(bytes)) return [];
  try {
    return fromBinary(StatusSchema, bytes).details.map((detail) => detailJson(detail, types));
  } catch {
    // Bytes that are no Status say nothing that could be passed on.
    return [];
  }
}

function detailJson(detail: Any, types: Registry): JsonValue {
  try {
    return toJson(AnySchema, detail, { registry: types });
  } catch {
    return { '@type': detail.typeUrl, value: Buffer.from(detail.value).toString('base64') };
  }
}
