import { ConnectionError, ErrorCode, Flag, violation } from '../frames/protocol.js';
import type { BlockCache } from '../hpack/block-cache.js';
import { Decoder } from '../hpack/decoder.js';
import type { Fields } from '../hpack/fields.js';
import { BlockAssembly } from './block-assembly.js';
import { faultOf } from './checks.js';
import { ClosedIds } from './closed-ids.js';
import type { Session } from './session.js';
import type { Stream } from './stream.js';

/** What a server answers on streams: HEADERS with CONTINUATION, and DATA. */
export class Responses {
  readonly #decoder: Decoder;
  /** A block of fields of which the end has not come: nothing else may come before that. */
  readonly #block: BlockAssembly;
  readonly #closed = new ClosedIds();

  constructor(
    private readonly session: Session,
    private readonly cache: BlockCache,
    maxHeaderListSize: number,
  ) {
    this.#decoder = new Decoder(maxHeaderListSize);
    this.#block = new BlockAssembly(maxHeaderListSize);
  }

  /** The stream whose block of fields goes on in the next frame; 0 for none. */
  get blockOf(): number {
    return this.#block.open ? this.#block.id : 0;
  }

  /** The server has agreed to have no table. */
  withoutTable(): void {
    this.#decoder.limitTable(0);
  }

  data(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { session } = this;
    const stream = this.streamOf(id, 'DATA');
    const length = end - start;
    session.inflow.received(length);
    const from = (flags & Flag.PADDED) === 0 ? start : start + 1;
    const to = (flags & Flag.PADDED) === 0 ? end : withoutPadding(bytes, start, from, end);
    if (stream === undefined) {
      this.#afterTheEnd(id, 'DATA');
      return;
    }
    stream.receiveWindow -= length;
    if (stream.hasLength) stream.bodyLeft -= to - from;
    const fault = dataFault(stream);
    if (fault !== undefined) {
      session.violated(stream, fault.code, fault.details);
      return;
    }
    if (to - from < length) session.inflow.credit(stream, length - (to - from));
    const ends = (flags & Flag.END_STREAM) !== 0;
    if (to > from) {
      session.patience.useful();
      stream.dataCame(bytes, from, to);
    } else if (!ends) session.patience.useless('empty DATA');
    if (ends && stream.place === 'open') this.#end(stream, undefined);
  }

  headers(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    this.streamOf(id, 'HEADERS');
    let from = (flags & Flag.PADDED) === 0 ? start : start + 1;
    if ((flags & Flag.PRIORITY) !== 0) from += 5;
    if (from > end) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'HEADERS that are too short');
    const to = (flags & Flag.PADDED) === 0 ? end : withoutPadding(bytes, start, from, end);
    const ends = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) this.#fields(id, ends, bytes, from, to);
    else this.#block.begin(id, ends, bytes, from, to);
  }

  continuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const { id, ends } = this.#block;
    if (!this.#block.open) throw violation('CONTINUATION without HEADERS');
    if (start === end) this.session.patience.useless('empty CONTINUATION');
    this.#block.add(bytes, start, end);
    if ((flags & Flag.END_HEADERS) === 0) return;
    const block = this.#block.take();
    this.#fields(id, ends, block, 0, block.length);
  }

  /** The stream of a frame that must have one; undefined when it is closed. @throws where it was never opened. */
  streamOf(id: number, what: string): Stream | undefined {
    const stream = this.session.streams.get(id);
    if (stream === undefined && (id % 2 === 0 || id >= this.session.nextId)) {
      throw violation(`${what} on stream ${id}, which was not opened`);
    }
    return stream;
  }

  #fields(id: number, ends: boolean, bytes: Buffer, start: number, end: number): void {
    const { session } = this;
    const fields = this.#decode(bytes, start, end);
    const stream = session.streams.get(id);
    if (stream === undefined) {
      this.#afterTheEnd(id, 'HEADERS');
      return;
    }
    const fault = fieldsFault(stream, fields, ends);
    if (fault !== undefined) {
      session.violated(stream, fault.code, fault.details);
    } else if (stream.gotHeaders) {
      this.#end(stream, fields);
    } else if (isInterim(fields)) {
      session.patience.useless('interim responses');
    } else {
      this.#begin(stream, fields, ends);
    }
  }

  #begin(stream: Stream, fields: Fields, ends: boolean): void {
    this.session.patience.useful();
    stream.gotHeaders = true;
    const length = contentLength(fields);
    stream.hasLength = length !== undefined;
    stream.bodyLeft = length ?? 0;
    if (ends && stream.bodyLeft > 0) {
      this.session.violated(stream, ErrorCode.PROTOCOL_ERROR, 'less data than the content-length');
      return;
    }
    if (ends) this.#close(stream);
    stream.headersCame(fields, ends);
  }

  #decode(bytes: Buffer, start: number, end: number): Fields {
    if (!this.#decoder.stateless) return this.#decoder.decode(bytes, start, end);
    const known = this.cache.get(bytes, start, end);
    if (known !== undefined) return known;
    const fields = this.#decoder.decode(bytes, start, end);
    this.cache.put(bytes, start, end, fields);
    return fields;
  }

  #end(stream: Stream, trailers: Fields | undefined): void {
    if (stream.bodyLeft > 0) {
      this.session.violated(stream, ErrorCode.PROTOCOL_ERROR, 'less data than the content-length');
      return;
    }
    this.#close(stream);
    stream.endCame(trailers);
  }

  /** The server has said all. Whatever we have not said is of no interest any more (RFC 9113, section 8.1). */
  #close(stream: Stream): void {
    const { session } = this;
    this.#closed.add(stream.id);
    stream.gotEnd = true;
    if (stream.firstChunk !== undefined) {
      session.cancel(stream, ErrorCode.NO_ERROR);
      return;
    }
    if (!stream.sentEnd) session.queue.end(stream);
    session.close(stream);
  }

  /**
   * A frame on a stream that is closed (RFC 9113, section 5.1): wrong when the server has ended it itself; it may have been
   * under way when we did.
   */
  #afterTheEnd(id: number, what: string): void {
    if (this.#closed.has(id))
      throw new ConnectionError(ErrorCode.STREAM_CLOSED, `${what} on stream ${id} after its end`);
    this.session.patience.useless(`${what} on closed streams`);
  }
}

interface Fault {
  readonly code: number;
  readonly details: string;
}

/** What is wrong with DATA on a stream, which has been counted already. */
function dataFault(stream: Stream): Fault | undefined {
  if (!stream.gotHeaders) return { code: ErrorCode.PROTOCOL_ERROR, details: 'DATA before the headers' };
  if (stream.receiveWindow < 0)
    return { code: ErrorCode.FLOW_CONTROL_ERROR, details: 'more data than the window of the stream' };
  if (stream.bodyLeft < 0)
    return { code: ErrorCode.PROTOCOL_ERROR, details: 'more data than the content-length' };
  return undefined;
}

/** What is wrong with a block of fields. */
function fieldsFault(stream: Stream, fields: Fields, ends: boolean): Fault | undefined {
  if (fields.tooLarge) {
    const details = `headers of ${fields.size} bytes, which is more than maxHeaderListSize`;
    return { code: ErrorCode.ENHANCE_YOUR_CALM, details };
  }
  const fault = faultOf(fields, stream.gotHeaders ? 'trailers' : 'headers');
  if (fault !== undefined) return { code: ErrorCode.PROTOCOL_ERROR, details: `malformed: ${fault}` };
  if (stream.gotHeaders) {
    return ends
      ? undefined
      : { code: ErrorCode.PROTOCOL_ERROR, details: 'trailers that do not end the stream' };
  }
  // RFC 9113, section 8.1: interim responses end nothing; and HTTP/2 has no 101.
  if (!isInterim(fields) || (!ends && fields.values[0] !== '101')) return undefined;
  return { code: ErrorCode.PROTOCOL_ERROR, details: `:status ${fields.values[0]} as a response` };
}

/** The status is the first field: `faultOf` has seen to that. */
function isInterim(fields: Fields): boolean {
  return fields.values[0]!.startsWith('1');
}

/** Where the padding begins, whose length stands at `at` (RFC 9113, section 6.1). `from` is where the content begins. */
function withoutPadding(bytes: Buffer, at: number, from: number, end: number): number {
  const to = end - (at < end ? bytes[at]! : 0);
  if (at >= end || to < from) throw violation('more padding than frame');
  return to;
}

/** Undefined when it does not say, or not in digits. */
function contentLength(fields: Fields): number | undefined {
  const text = fields.get('content-length');
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
