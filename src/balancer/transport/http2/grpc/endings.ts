import { Metadata } from '@grpc/grpc-js';
import { Status } from '../../../../base/errors.js';
import type { Reached, WireStatus } from '../../transport.js';
import type { Fields } from '../hpack/fields.js';
import { metadataOf, NOT_IN_STATUS } from './response-metadata.js';
import { httpStatus, statusCode, statusMessage, type Verdict } from './status.js';

/** A status that came over the wire. Its metadata are made of its fields when somebody asks for them. */
export class EndStatus implements WireStatus {
  private made: Metadata | undefined = undefined;

  constructor(
    readonly code: number,
    readonly details: string,
    private readonly fields: Fields | undefined,
    readonly reached: Reached,
  ) {}

  get metadata(): Metadata {
    this.made ??= this.fields === undefined ? new Metadata() : metadataOf(this.fields, NOT_IN_STATUS);
    return this.made;
  }
}

/** What the last fields of a response say, and its first where the last say nothing. */
export function endOf(last: Fields | undefined, head: Fields | undefined): EndStatus {
  const text = last?.get('grpc-status');
  if (text !== undefined) {
    const message = last!.get('grpc-message');
    const details = message === undefined ? '' : statusMessage(message);
    return new EndStatus(statusCode(text), details, last, 'maybe');
  }
  const status = (head ?? last)!.values[0]!;
  if (status !== '200' || last !== undefined) {
    const { code, details } = httpStatus(status);
    return new EndStatus(code, details, last, 'maybe');
  }
  // As grpc-js says it.
  const details = 'Received RST_STREAM with code 0 (Call ended without gRPC status)';
  return new EndStatus(Status.INTERNAL, details, undefined, 'maybe');
}

/** Why what begins here is no response of gRPC's; undefined when it is one. */
export function faultOfHead(fields: Fields): Verdict | undefined {
  const type = fields.get('content-type');
  if (type?.startsWith('application/grpc')) return undefined;
  const status = fields.values[0]!;
  if (status !== '200') return httpStatus(status);
  const shown =
    type === undefined ? 'no content-type' : `the content-type ${JSON.stringify(type.slice(0, 80))}`;
  return { code: Status.UNKNOWN, details: `Received a response with ${shown}, which is not gRPC` };
}
