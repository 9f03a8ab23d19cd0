import { fieldSize } from '../hpack/dynamic-table.js';
import { type Encoder, RepeatedField } from '../hpack/encoder.js';
import { ACCEPTED, type Compression } from './compression.js';
import { type CustomFields, sizeOf, writeCustom } from './request-metadata.js';
import { timeoutValue } from './timeout.js';

/** Paths and authorities that are remembered; a client that has more starts over. */
const MOST_REMEMBERED = 256;
/** What the fields of every request count together, with some to spare. */
const COMMON_SIZE = 600;

interface Request {
  readonly path: string;
  readonly authority: string | undefined;
  readonly custom: CustomFields;
}

/** What every request on one session says beside its own (PROTOCOL-HTTP2.md, "Requests"). */
export class RequestFields {
  readonly #first: readonly RepeatedField[];
  readonly #last: readonly RepeatedField[];
  readonly #authority: RepeatedField;
  readonly #paths = new Map<string, RepeatedField>();
  readonly #authorities = new Map<string, RepeatedField>();

  constructor(options: {
    readonly scheme: 'http' | 'https';
    readonly authority: string;
    readonly userAgent: string;
    readonly compression: Compression;
  }) {
    const { scheme, authority, userAgent, compression } = options;
    this.#first = [new RepeatedField(':method', 'POST'), new RepeatedField(':scheme', scheme)];
    this.#authority = new RepeatedField(':authority', authority);
    this.#last = [
      new RepeatedField('te', 'trailers'),
      new RepeatedField('content-type', 'application/grpc'),
      new RepeatedField('user-agent', userAgent),
      ...(compression === 'identity' ? [] : [new RepeatedField('grpc-encoding', compression)]),
      new RepeatedField('grpc-accept-encoding', ACCEPTED),
      new RepeatedField('accept-encoding', 'identity'),
    ];
  }

  /** @param timeoutMs - what is left; `Infinity` for no deadline. */
  write(encoder: Encoder, { path, authority, custom }: Request, timeoutMs: number): void {
    for (const field of this.#first) encoder.repeated(field);
    encoder.repeated(known(this.#paths, ':path', path));
    encoder.repeated(
      authority === undefined ? this.#authority : known(this.#authorities, ':authority', authority),
    );
    for (const field of this.#last) encoder.repeated(field);
    if (timeoutMs !== Number.POSITIVE_INFINITY)
      encoder.plain('grpc-timeout', timeoutValue(Math.max(timeoutMs, 1)));
    if (custom.length > 0) writeCustom(encoder, custom);
  }
}

/** What a request counts, to be held against the server's MAX_HEADER_LIST_SIZE. */
export function requestSize(path: string, custom: CustomFields): number {
  return COMMON_SIZE + fieldSize(':path', path) + sizeOf(custom);
}

function known(fields: Map<string, RepeatedField>, name: string, value: string): RepeatedField {
  let field = fields.get(value);
  if (field === undefined) {
    if (fields.size >= MOST_REMEMBERED) fields.clear();
    field = new RepeatedField(name, value);
    fields.set(value, field);
  }
  return field;
}
