/** Between the port's words and etcd3's: 64-bit numbers are bigints here and texts there. */
import type {
  IKeyValue,
  IRangeRequest,
  IRangeResponse,
  ITxnRequest,
  IWatchRequest,
  IWatchResponse,
} from 'etcd3';
import type { KeyValue, PutRequest, RangeAnswer, RangeRequest, WatchAnswer, WatchRequest } from '../port.js';

export function rangeMessage({ key, rangeEnd, revision, limit, countOnly }: RangeRequest): IRangeRequest {
  return {
    key: buffer(key),
    ...(rangeEnd !== undefined && { range_end: buffer(rangeEnd) }),
    ...(revision !== undefined && { revision: String(revision) }),
    ...(limit !== undefined && { limit }),
    ...(countOnly !== undefined && { count_only: countOnly }),
  };
}

export function rangeAnswer({ header, kvs, more, count }: IRangeResponse): RangeAnswer {
  return {
    revision: BigInt(header.revision),
    clusterId: header.cluster_id,
    entries: kvs.map(keyValue),
    more,
    count: Number(count),
  };
}

function keyValue({ key, value, lease, mod_revision: revision }: IKeyValue): KeyValue {
  return { key, value, lease, revision: BigInt(revision) };
}

export function putMessage({ key, value, lease, ifRevision }: PutRequest): ITxnRequest {
  return {
    compare: [{ target: 'Mod', result: 'Equal', key: buffer(key), mod_revision: String(ifRevision) }],
    success: [{ request_put: { key: buffer(key), value: buffer(value), lease } }],
  };
}

export function watchMessage(request: WatchRequest): IWatchRequest {
  if (request.kind === 'progress') return { progress_request: {} };
  const { key, rangeEnd, startRevision } = request;
  return {
    create_request: {
      key: buffer(key),
      range_end: buffer(rangeEnd),
      start_revision: String(startRevision),
      progress_notify: true,
    },
  };
}

export function watchAnswer(response: IWatchResponse): WatchAnswer {
  const { header, canceled, created, events } = response;
  return {
    revision: BigInt(header.revision),
    clusterId: header.cluster_id,
    kind: canceled ? 'canceled' : created ? 'created' : events.length > 0 ? 'events' : 'progress',
    reason: canceled ? whyCanceled(response) : '',
    events: events.map(({ type, kv }) => ({
      key: kv.key,
      value: type === 'Delete' ? undefined : kv.value,
      revision: BigInt(kv.mod_revision),
      created: type !== 'Delete' && kv.version === '1',
    })),
  };
}

function whyCanceled({ cancel_reason: reason, compact_revision: compacted }: IWatchResponse): string {
  if (reason !== '') return reason;
  return compacted === '0' ? '' : `compacted up to revision ${compacted}`;
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
