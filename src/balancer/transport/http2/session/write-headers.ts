import type { Output } from '../frames/output.js';
import { Flag, FRAME_HEADER, FrameType } from '../frames/protocol.js';
import type { Encoder } from '../hpack/encoder.js';
import type { Stream } from './stream.js';

/** Writes the HEADERS of a stream, and CONTINUATION where one frame cannot take them (RFC 9113, section 6.10). */
export function writeHeaders(output: Output, encoder: Encoder, stream: Stream, maxFrameSize: number): void {
  const at = output.length;
  output.reserve(FRAME_HEADER);
  output.length += FRAME_HEADER;
  encoder.begin();
  stream.writeFields(encoder);
  const length = output.length - at - FRAME_HEADER;
  if (length <= maxFrameSize) output.patch(at, length, FrameType.HEADERS, Flag.END_HEADERS, stream.id);
  else split(output, at, stream.id, maxFrameSize);
  stream.frameAt = at;
  stream.frameTake = output.takes;
  stream.openedTake = output.takes;
}

function split(output: Output, at: number, id: number, most: number): void {
  const block = Buffer.from(output.bytes.subarray(at + FRAME_HEADER, output.length));
  output.length = at;
  for (let from = 0; from < block.length; from += most) {
    const to = Math.min(block.length, from + most);
    const flags = to === block.length ? Flag.END_HEADERS : 0;
    output.frame(to - from, from === 0 ? FrameType.HEADERS : FrameType.CONTINUATION, flags, id);
    output.raw(block, from, to);
  }
}
