// Every rule of RFC 9113 that a server can break, and the error that the RFC names for it.
import { describe, expect, it } from 'vitest';
import { ErrorCode, FrameType } from '../../../../../src/balancer/transport/http2/frames/protocol.js';
import {
  block,
  data,
  frame,
  goAway,
  headers,
  ping,
  reset,
  settings,
  settingsAck,
  trailers,
  uint32,
  windowUpdate,
} from '../frames/wire.js';
import { Harness } from './harness.js';

const OVER = 2 ** 31 - 1;

describe('a connection error', () => {
  it.each<[what: string, code: keyof typeof ErrorCode, ...Buffer[]]>([
    ['DATA on no stream', 'PROTOCOL_ERROR', data(0, 'x')],
    ['DATA on a stream that was not opened', 'PROTOCOL_ERROR', data(3, 'x')],
    ['DATA on a stream of the server', 'PROTOCOL_ERROR', data(2, 'x')],
    ['DATA with more padding than frame', 'PROTOCOL_ERROR', headers(1), frame(0, 8, 1, [3, 0, 0])],
    ['padded DATA without a length of it', 'PROTOCOL_ERROR', headers(1), frame(0, 8, 1)],
    ['DATA after the end', 'STREAM_CLOSED', headers(1), trailers(1), data(1, 'x')],
    ['HEADERS on no stream', 'PROTOCOL_ERROR', headers(0)],
    ['HEADERS on a stream that was not opened', 'PROTOCOL_ERROR', headers(3)],
    ['HEADERS on a stream of the server', 'PROTOCOL_ERROR', headers(2)],
    ['HEADERS after the end', 'STREAM_CLOSED', headers(1), trailers(1), trailers(1)],
    ['HEADERS with more padding than frame', 'PROTOCOL_ERROR', frame(1, 0xc, 1, [9, 0x88])],
    ['HEADERS with a cut priority', 'FRAME_SIZE_ERROR', frame(1, 0x24, 1, [0, 0, 0])],
    ['a block that cannot be decoded', 'COMPRESSION_ERROR', frame(1, 4, 1, [0x80])],
    ['a table larger than agreed', 'COMPRESSION_ERROR', frame(1, 4, 1, [0x3f, 0xe1, 0x1f, 0x88])],
    ['another frame within a block', 'PROTOCOL_ERROR', frame(1, 0, 1, [0x88]), ping()],
    ['an unknown frame within a block', 'PROTOCOL_ERROR', frame(1, 0, 1, [0x88]), frame(99, 0, 1)],
    ['CONTINUATION of another stream', 'PROTOCOL_ERROR', frame(1, 0, 1, [0x88]), frame(9, 4, 3)],
    ['CONTINUATION without HEADERS', 'PROTOCOL_ERROR', frame(9, 4, 1, [0x88])],
    ['CONTINUATION after the end of a block', 'PROTOCOL_ERROR', headers(1), frame(9, 4, 1)],
    ['PRIORITY on no stream', 'PROTOCOL_ERROR', frame(2, 0, 0, Buffer.alloc(5))],
    ['RST_STREAM on no stream', 'PROTOCOL_ERROR', reset(0, 8)],
    ['RST_STREAM on a stream that was not opened', 'PROTOCOL_ERROR', reset(3, 8)],
    ['RST_STREAM of a wrong length', 'FRAME_SIZE_ERROR', frame(3, 0, 1, [0, 0, 0])],
    ['SETTINGS on a stream', 'PROTOCOL_ERROR', frame(4, 0, 1)],
    ['SETTINGS of a wrong length', 'FRAME_SIZE_ERROR', frame(4, 0, 0, [0, 1, 0, 0, 0])],
    ['an acknowledgement with a payload', 'FRAME_SIZE_ERROR', frame(4, 1, 0, Buffer.alloc(6))],
    ['an acknowledgement of nothing', 'PROTOCOL_ERROR', settingsAck()],
    ['ENABLE_PUSH by a server', 'PROTOCOL_ERROR', settings([2, 1])],
    ['ENABLE_PUSH of 2', 'PROTOCOL_ERROR', settings([2, 2])],
    ['INITIAL_WINDOW_SIZE over 2^31 - 1', 'FLOW_CONTROL_ERROR', settings([4, 2 ** 31])],
    ['MAX_FRAME_SIZE under 16,384', 'PROTOCOL_ERROR', settings([5, 16_383])],
    ['MAX_FRAME_SIZE over 2^24 - 1', 'PROTOCOL_ERROR', settings([5, 2 ** 24])],
    ['PUSH_PROMISE', 'PROTOCOL_ERROR', frame(5, 4, 1, [0, 0, 0, 2, 0x88])],
    ['PING on a stream', 'PROTOCOL_ERROR', frame(6, 0, 1, Buffer.alloc(8))],
    ['PING of a wrong length', 'FRAME_SIZE_ERROR', frame(6, 0, 0, Buffer.alloc(7))],
    ['GOAWAY on a stream', 'PROTOCOL_ERROR', frame(7, 0, 1, Buffer.alloc(8))],
    ['GOAWAY of a wrong length', 'FRAME_SIZE_ERROR', frame(7, 0, 0, Buffer.alloc(7))],
    ['GOAWAY with a higher stream than before', 'PROTOCOL_ERROR', goAway(1, 0), goAway(3, 0)],
    ['WINDOW_UPDATE of a wrong length', 'FRAME_SIZE_ERROR', frame(8, 0, 0, [0, 0, 1])],
    ['WINDOW_UPDATE by 0', 'PROTOCOL_ERROR', windowUpdate(0, 0)],
    ['WINDOW_UPDATE over 2^31 - 1', 'FLOW_CONTROL_ERROR', windowUpdate(0, OVER)],
    ['WINDOW_UPDATE of a stream that was not opened', 'PROTOCOL_ERROR', windowUpdate(3, 1)],
    [
      'INITIAL_WINDOW_SIZE that overflows the window of a stream',
      'FLOW_CONTROL_ERROR',
      windowUpdate(1, OVER - 65_535),
      settings([4, 65_536]),
    ],
    ['a frame that is longer than allowed', 'FRAME_SIZE_ERROR', frame(0, 0, 1, Buffer.alloc(16_385))],
    [
      'more DATA than the window of the connection',
      'FLOW_CONTROL_ERROR',
      headers(1),
      ...Array.from({ length: 5 }, () => data(1, Buffer.alloc(16_384))),
    ],
  ])('%s: %s', (_, code, ...frames) => {
    const harness = Harness.ready();
    const stream = harness.open();
    stream.reads = false;
    harness.say(...frames);
    expect(harness.session.isOver).toBe(true);
    expect(harness.goneWith()).toBe(ErrorCode[code]);
    expect(harness.events.at(-1)).toMatch(`over: ${code}`);
    // The connection is dead to it: nothing is heard, nothing said.
    const heard = [...stream.heard];
    harness.say(ping(), headers(1), trailers(1));
    expect(harness.said()).toEqual([]);
    expect(stream.heard).toEqual(heard);
    expect(harness.clock.pending).toBe(0);
  });

  it.each([
    ['another frame first', ping()],
    ['an acknowledgement first', settingsAck()],
    ['HTTP/1.1', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('%s', (_, bytes) => {
    const harness = new Harness();
    harness.say(bytes);
    expect([ErrorCode.PROTOCOL_ERROR, ErrorCode.FRAME_SIZE_ERROR]).toContain(harness.goneWith());
  });

  it('SETTINGS that are not acknowledged in time: SETTINGS_TIMEOUT', async () => {
    const harness = new Harness({ settingsTimeoutMs: 100 });
    harness.say(settings());
    const stream = harness.open();
    harness.said();
    await harness.clock.advance(99);
    expect(harness.session.isOver).toBe(false);
    await harness.clock.advance(1);
    expect(harness.goneWith()).toBe(ErrorCode.SETTINGS_TIMEOUT);
    expect(stream.heard).toEqual(['lost']);
  });
});

describe('a stream error', () => {
  const status = [':status', '200'] as const;

  it.each<[what: string, code: keyof typeof ErrorCode, ...Buffer[]]>([
    ['DATA before the headers', 'PROTOCOL_ERROR', data(1, 'x')],
    ['trailers that do not end the stream', 'PROTOCOL_ERROR', headers(1), headers(1, { a: 'b' })],
    ['headers without :status', 'PROTOCOL_ERROR', headers(1, { a: 'b' })],
    ['an empty block', 'PROTOCOL_ERROR', headers(1, {})],
    ['two :status', 'PROTOCOL_ERROR', headers(1, [status, status])],
    [':status after other fields', 'PROTOCOL_ERROR', headers(1, [['a', 'b'], status])],
    [':status that is no number', 'PROTOCOL_ERROR', headers(1, { ':status': '2xx' })],
    ['a pseudo-header of requests', 'PROTOCOL_ERROR', headers(1, [status, [':path', '/']])],
    ['a pseudo-header among trailers', 'PROTOCOL_ERROR', headers(1), trailers(1, [status])],
    ['upper case in a name', 'PROTOCOL_ERROR', headers(1, [status, ['Name', 'v']])],
    ['a space in a name', 'PROTOCOL_ERROR', headers(1, [status, ['na me', 'v']])],
    ['no name', 'PROTOCOL_ERROR', headers(1, [status, ['', 'v']])],
    ['a colon in a name', 'PROTOCOL_ERROR', headers(1, [status, ['na:me', 'v']])],
    ['a line end in a value', 'PROTOCOL_ERROR', headers(1, [status, ['name', 'a\r\nb']])],
    ['a NUL in a value', 'PROTOCOL_ERROR', headers(1, [status, ['name', 'a\0b']])],
    ['a field of HTTP/1.1', 'PROTOCOL_ERROR', headers(1, [status, ['connection', 'close']])],
    ['1xx that ends the stream', 'PROTOCOL_ERROR', headers(1, { ':status': '103' }, 1)],
    ['101', 'PROTOCOL_ERROR', headers(1, { ':status': '101' })],
    [
      'more data than the content-length',
      'PROTOCOL_ERROR',
      headers(1, [status, ['content-length', '2']]),
      data(1, 'xxx'),
    ],
    [
      'less data than the content-length',
      'PROTOCOL_ERROR',
      headers(1, [status, ['content-length', '2']]),
      data(1, 'x'),
      trailers(1),
    ],
    [
      'no data at all, with a content-length',
      'PROTOCOL_ERROR',
      headers(1, [status, ['content-length', '2']], 1),
    ],
    ['headers over the limit', 'ENHANCE_YOUR_CALM', headers(1, [status, ['a', 'b'.repeat(16_320)]])],
    ['PRIORITY of a wrong length', 'FRAME_SIZE_ERROR', frame(2, 0, 1, [0])],
    ['WINDOW_UPDATE by 0', 'PROTOCOL_ERROR', windowUpdate(1, 0)],
    ['WINDOW_UPDATE over 2^31 - 1', 'FLOW_CONTROL_ERROR', windowUpdate(1, OVER)],
    [
      'more DATA than the window of the stream',
      'FLOW_CONTROL_ERROR',
      headers(1),
      ...Array.from({ length: 5 }, () => data(1, Buffer.alloc(16_384))),
    ],
  ])('%s: %s', (_, code, ...frames) => {
    const harness = Harness.ready({ connectionWindow: 1_000_000 });
    const stream = harness.open();
    stream.reads = false;
    const other = harness.open();
    harness.said();
    harness.say(...frames);
    const resets = harness.said().filter(({ type }) => type === FrameType.RST_STREAM);
    expect(resets.map(({ stream, payload }) => [stream, payload.readUInt32BE(0)])).toEqual([
      [1, ErrorCode[code]],
    ]);
    expect(stream.why).toMatchObject({ kind: 'violation', code: ErrorCode[code] });
    // Frames that were under way are ignored, and the connection goes on.
    harness.say(headers(1), data(1, 'x'), trailers(1), reset(1, 0), windowUpdate(1, 1));
    harness.say(headers(3), data(3, 'yes'), trailers(3));
    expect(stream.heard.at(-1)).toBe('violation');
    expect(other.heard).toEqual(['headers', 'data 3', 'trailers']);
  });
});

describe('no error', () => {
  it.each<[what: string, ...Buffer[]]>([
    ['unknown frames, on any stream', frame(77, 0xff, 0, [1, 2, 3]), frame(78, 0, 8, [1])],
    ['unknown settings', settings([0xfff0, 1], [0, 7])],
    ['unknown flags', frame(6, 0xfe, 0, Buffer.alloc(8))],
    ['ENABLE_PUSH of 0', settings([2, 0])],
    ['PRIORITY, which means nothing', frame(2, 0, 1, Buffer.alloc(5)), frame(2, 0, 99, Buffer.alloc(5))],
    ['a reserved bit', frame(8, 0, 0x8000_0001, uint32(0x8000_0001))],
    ['WINDOW_UPDATE and RST_STREAM after the end', headers(3), trailers(3), windowUpdate(3, 1), reset(3, 0)],
    ['an answer to a ping that was not sent', ping(Buffer.alloc(8), 1)],
    ['GOAWAY twice, lower the second time', goAway(OVER, 0), goAway(3, 0)],
    ['HEADERS with padding and priority', frame(1, 0x2c, 1, [2, 0, 0, 0, 0, 7, 0x88, 0, 0])],
    ['a block in crumbs', frame(1, 0, 1, [0x88]), frame(9, 0, 1), frame(9, 4, 1, block({ a: 'b' }))],
    ['interim responses', headers(1, { ':status': '100' }), headers(1, { ':status': '103' }), headers(1)],
    ['padding', headers(1), frame(0, 8, 1, [3, 1, 2, 3, 0, 0, 0])],
  ])('%s', (_, ...frames) => {
    const harness = Harness.ready();
    const stream = harness.open();
    harness.open();
    harness.say(...frames);
    expect(harness.session.isOver).toBe(false);
    expect(stream.why).toBeUndefined();
    if (stream.heard.length === 0) harness.say(headers(1));
    harness.say(trailers(1));
    expect(stream.heard.filter((what) => !what.startsWith('data'))).toEqual(['headers', 'trailers']);
  });
});
