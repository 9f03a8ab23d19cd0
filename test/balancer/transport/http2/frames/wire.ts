import { FrameReader } from '../../../../../src/balancer/transport/http2/frames/frame-reader.js';
import {
  Flag,
  FrameType,
  LARGEST_MAX_FRAME_SIZE,
  PREFACE,
} from '../../../../../src/balancer/transport/http2/frames/protocol.js';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A frame as a peer writes it, right or wrong. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array | readonly number[] = [],
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, Buffer.from(payload)]);
}

export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value, at * 4);
  return bytes;
}

/** A block of literal fields, without a table. */
export function block(
  fields: Readonly<Record<string, string>> | readonly (readonly [string, string])[],
): Buffer {
  const pairs = Array.isArray(fields) ? fields : Object.entries(fields);
  const texts = pairs.flat().map((text: string) => {
    const bytes = Buffer.from(text, 'latin1');
    const length = bytes.length < 127 ? [bytes.length] : [127, ...varint(bytes.length - 127)];
    return Buffer.concat([Buffer.from(length), bytes]);
  });
  return Buffer.concat(texts.flatMap((text, at) => (at % 2 === 0 ? [Buffer.of(0), text] : [text])));
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

export const settings = (...pairs: [id: number, value: number][]) =>
  frame(
    FrameType.SETTINGS,
    0,
    0,
    Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.of(id >> 8, id), uint32(value)]))),
  );
export const settingsAck = () => frame(FrameType.SETTINGS, Flag.ACK, 0);
export const ping = (data = Buffer.alloc(8), flags = 0) => frame(FrameType.PING, flags, 0, data);
export const windowUpdate = (stream: number, increment: number) =>
  frame(FrameType.WINDOW_UPDATE, 0, stream, uint32(increment));
export const reset = (stream: number, code: number) => frame(FrameType.RST_STREAM, 0, stream, uint32(code));
export const goAway = (last: number, code: number, debug = '') =>
  frame(FrameType.GOAWAY, 0, 0, Buffer.concat([uint32(last, code), Buffer.from(debug)]));
export const data = (stream: number, bytes: Uint8Array | string, flags = 0) =>
  frame(FrameType.DATA, flags, stream, Buffer.from(bytes as string));
export const headers = (
  stream: number,
  fields: Parameters<typeof block>[0] = { ':status': '200', 'content-type': 'application/grpc' },
  flags = 0,
) => frame(FrameType.HEADERS, Flag.END_HEADERS | flags, stream, block(fields));
export const trailers = (stream: number, fields: Parameters<typeof block>[0] = { 'grpc-status': '0' }) =>
  headers(stream, fields, Flag.END_STREAM);

/** The frames in what a client has written; its preface is left out. */
export function framesIn(bytes: Buffer): Frame[] {
  const start = bytes.toString('latin1', 0, PREFACE.length) === PREFACE ? PREFACE.length : 0;
  const frames: Frame[] = [];
  const handler = {
    frame(type: number, flags: number, stream: number, from: Buffer, begin: number, end: number) {
      frames.push({ type, flags, stream, payload: Buffer.from(from.subarray(begin, end)) });
    },
  };
  const reader = new FrameReader(handler, LARGEST_MAX_FRAME_SIZE);
  reader.read(bytes, start, bytes.length);
  if (reader.kept > 0) throw new Error('a frame that is not whole');
  return frames;
}
