import { Metadata } from '@grpc/grpc-js';
import { Status } from '../../../../base/errors.js';
import type { Reached, WireStatus } from '../../transport.js';
import type { Fields } from '../hpack/fields.js';
import { metadataOf, NOT_IN_HEADERS, NOT_IN_STATUS } from './response-metadata.js';
import { httpStatus, statusCode, statusMessage, type Verdict } from './status.js';

/** How a call went well. Its metadata are made when somebody asks for them: hardly anybody does. */
class GoodEnd implements WireStatus {
  readonly code = Status.OK;
  readonly reached = 'maybe';
  private made: Metadata | undefined = undefined;

  constructor(
    readonly details: string,
    private readonly fields: Fields,
  ) {}

  get metadata(): Metadata {
    this.made ??= metadataOf(this.fields, NOT_IN_STATUS);
    return this.made;
  }
}

/** How a call failed. @param fields - what the server said last. */
export function failure(
  { code, details }: Verdict,
  reached: Reached = 'maybe',
  fields?: Fields | undefined,
): WireStatus {
  const metadata = fields === undefined ? new Metadata() : metadataOf(fields, NOT_IN_STATUS);
  return { code, details, metadata, reached };
}

/** What the last fields of a response say, and its first where the last say nothing. */
export function endOf(last: Fields | undefined, head: Fields | undefined): WireStatus {
  const said = last === undefined ? undefined : saidBy(last);
  if (said?.code === Status.OK && head === undefined) {
    const fault = faultOfOnly(last!);
    if (fault !== undefined) return failure(fault, 'maybe', last);
  }
  if (said !== undefined) {
    return said.code === Status.OK ? new GoodEnd(said.details, last!) : failure(said, 'maybe', last);
  }
  const status = (head ?? last)!.values[0]!;
  if (status !== '200' || last !== undefined) return failure(httpStatus(status), 'maybe', last);
  // As grpc-js says it.
  const details = 'Received RST_STREAM with code 0 (Call ended without gRPC status)';
  return failure({ code: Status.INTERNAL, details });
}

/** The gRPC status in these fields, read once: they come again and again. */
function saidBy(fields: Fields): Verdict | undefined {
  fields.end ??= readStatus(fields);
  return fields.end === NONE ? undefined : (fields.end as Verdict);
}

const NONE = Symbol('no status');

function readStatus(fields: Fields): Verdict | typeof NONE {
  const text = fields.get('grpc-status');
  if (text === undefined) return NONE;
  const message = fields.get('grpc-message');
  return { code: statusCode(text), details: message === undefined ? '' : statusMessage(message) };
}

/** The first fields of a response, as gRPC has them. */
export interface Head {
  /** Why this is no response of gRPC's. */
  readonly fault: Verdict | undefined;
  /** How messages are compressed that are. */
  readonly encoding: string | undefined;
  /** Metadata of their own for whoever asks. */
  readonly metadata: () => Metadata;
}

/** What these fields say, read once. */
export function headOf(fields: Fields): Head {
  fields.head ??= {
    fault: faultOfHead(fields),
    encoding: fields.get('grpc-encoding'),
    metadata: () => metadataOf(fields, NOT_IN_HEADERS),
  } satisfies Head;
  return fields.head as Head;
}

/**
 * Why fields that are all of a response do not mean that all went well, though their `grpc-status` says so: something between
 * may have put its own answer around it. Undefined when they do. As grpc-go has it.
 */
function faultOfOnly(fields: Fields): Verdict | undefined {
  const status = fields.values[0]!;
  return status === '200' ? headOf(fields).fault : httpStatus(status);
}

/** Why what begins here is no response of gRPC's; undefined when it is one. */
function faultOfHead(fields: Fields): Verdict | undefined {
  const type = fields.get('content-type');
  if (type?.startsWith('application/grpc')) return undefined;
  const status = fields.values[0]!;
  if (status !== '200') return httpStatus(status);
  const shown =
    type === undefined ? 'no content-type' : `the content-type ${JSON.stringify(type.slice(0, 80))}`;
  return { code: Status.UNKNOWN, details: `Received a response with ${shown}, which is not gRPC` };
}
