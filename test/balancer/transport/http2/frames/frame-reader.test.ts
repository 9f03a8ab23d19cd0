import { expect, it } from 'vitest';
import { FrameReader } from '../../../../../src/balancer/transport/http2/frames/frame-reader.js';
import { FrameType } from '../../../../../src/balancer/transport/http2/frames/protocol.js';
import { frame } from './wire.js';

it('keeps of a frame that is not whole no more than the frame', () => {
  const kept: number[] = [];
  const handler = {
    frame(_type: number, _flags: number, _stream: number, bytes: Buffer) {
      kept.push(bytes.buffer.byteLength);
    },
  };
  const reader = new FrameReader(handler, 16_384);
  const bytes = frame(FrameType.DATA, 0, 1, Buffer.alloc(20));
  for (const cut of [3, 9, 15]) {
    reader.read(bytes, 0, cut);
    reader.read(bytes, cut, bytes.length);
  }
  expect(kept).toEqual([29, 29, 29]);
});
