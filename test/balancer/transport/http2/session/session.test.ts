import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  DEFAULT_WINDOW,
  ErrorCode,
  FrameType,
  PREFACE,
} from '../../../../../src/balancer/transport/http2/frames/protocol.js';
import { RepeatedField } from '../../../../../src/balancer/transport/http2/hpack/encoder.js';
import {
  data,
  frame,
  goAway,
  headers,
  ping,
  reset,
  settings,
  settingsAck,
  trailers,
  windowUpdate,
} from '../frames/wire.js';
import { Harness, TestStream } from './harness.js';

const TABLE = 1;
const LIMIT = 3;
const WINDOW = 4;

describe('the beginning', () => {
  it('is the preface, SETTINGS and what the connection may send', () => {
    const harness = new Harness({ streamWindow: 100_000, connectionWindow: 1_000_000 });
    const { buffer, length } = harness.session.take();
    const bytes = Buffer.from(buffer.subarray(0, length));
    expect(bytes.toString('latin1', 0, PREFACE.length)).toBe(PREFACE);
    harness.session.output.raw(bytes);
    const [first, second] = harness.said();
    expect(first).toMatchObject({ type: FrameType.SETTINGS, stream: 0, flags: 0 });
    expect(first!.payload.toString('hex')).toBe('000100000000000200000000000400' + '0186a0000600004000');
    expect(second).toMatchObject({ type: FrameType.WINDOW_UPDATE, stream: 0 });
    expect(second!.payload.readUInt32BE(0)).toBe(1_000_000 - DEFAULT_WINDOW);
  });

  it('is over when the SETTINGS of the server have come, which are acknowledged', () => {
    const harness = new Harness();
    harness.said();
    harness.say(settings([LIMIT, 7]));
    expect(harness.events).toEqual(['ready', 'limit 7']);
    expect(harness.saidShort()).toEqual(['SETTINGS 0 +1']);
    harness.say(settingsAck());
    expect(harness.clock.pending).toBe(0);
  });
});

describe('a stream', () => {
  it('takes HEADERS, DATA and its end in one go', () => {
    const harness = Harness.ready();
    const stream = harness.begin();
    harness.session.message(stream, Buffer.from('hello'), 0, undefined);
    harness.session.end(stream);
    expect(harness.saidShort()).toEqual(['HEADERS 1(6) +4', 'DATA 1(10) +1']);
    harness.say(headers(1), data(1, 'there'), trailers(1));
    expect(stream.heard).toEqual(['headers', 'data 5', 'trailers']);
    expect(harness.session.streams.size).toBe(0);
  });

  it('ends with an empty frame where the last has gone already', () => {
    const harness = Harness.ready();
    const stream = harness.open();
    harness.session.message(stream, Buffer.from('hello'), 0, undefined);
    harness.said();
    harness.session.end(stream);
    expect(harness.saidShort()).toEqual(['DATA 1(0) +1']);
  });

  it('ends with its HEADERS where it has nothing to say', () => {
    const harness = Harness.ready();
    harness.session.end(harness.begin());
    expect(harness.saidShort()).toEqual(['HEADERS 1(6) +5']);
  });

  it('has CONTINUATION where its fields need them', () => {
    const harness = Harness.ready();
    harness.open('x'.repeat(40_000));
    expect(harness.saidShort()).toEqual(['HEADERS 1(16384)', 'CONTINUATION 1', 'CONTINUATION 1 +4']);
  });

  it('is ended from our side when the server has ended it before', () => {
    const harness = Harness.ready();
    const [quiet, busy] = [harness.open(), harness.open()];
    harness.session.message(busy, Buffer.alloc(100_000), 0, undefined);
    harness.said();
    harness.say(headers(1), trailers(1), headers(3), trailers(3));
    // What is not whole is not passed off as the end.
    expect(harness.saidShort()).toEqual(['DATA 1(0) +1', 'RST_STREAM 3']);
    expect([quiet.heard, busy.heard]).toEqual([
      ['headers', 'trailers'],
      ['headers', 'trailers'],
    ]);
  });

  it('is cancelled by RST_STREAM, and hears nothing more', () => {
    const harness = Harness.ready();
    const stream = harness.open();
    harness.said();
    harness.session.cancel(stream, ErrorCode.CANCEL);
    expect(harness.saidShort()).toEqual(['RST_STREAM 1']);
    harness.session.message(stream, Buffer.from('late'), 0, undefined);
    harness.session.end(stream);
    harness.say(headers(1), data(1, 'x'), trailers(1), reset(1, 0));
    expect(harness.saidShort()).toEqual([]);
    expect(stream.heard).toEqual([]);
  });

  it('is told of RST_STREAM', () => {
    const harness = Harness.ready();
    const stream = harness.open();
    harness.say(reset(1, ErrorCode.REFUSED_STREAM));
    expect(stream.heard).toEqual(['reset 7']);
  });

  it('has never been when it is cancelled before anything of it has gone', () => {
    const harness = Harness.ready();
    harness.session.cancel(harness.begin(), ErrorCode.CANCEL);
    expect(harness.saidShort()).toEqual([]);
    expect(harness.events).toEqual([]);
  });

  it('waits while the limit of the server has no room, in order', () => {
    const harness = Harness.ready({}, [LIMIT, 1]);
    const [first, second, third, fourth] = [1, 2, 3, 4].map(() => harness.open());
    harness.session.message(second!, Buffer.from('hello'), 0, undefined);
    harness.session.end(second!);
    harness.session.cancel(third!, ErrorCode.CANCEL);
    expect(harness.saidShort()).toEqual(['HEADERS 1(6) +4']);
    harness.say(headers(1), trailers(1));
    expect(first!.heard).toEqual(['headers', 'trailers']);
    expect(harness.saidShort()).toEqual(['DATA 1(0) +1', 'HEADERS 3(6) +4', 'DATA 3(10) +1']);
    harness.say(settings([LIMIT, 2]));
    expect(harness.saidShort()).toEqual(['SETTINGS 0 +1', 'HEADERS 5(6) +4']);
    expect(fourth!.id).toBe(5);
  });

  it('is not opened after the ids are used up', () => {
    const harness = Harness.ready();
    harness.session.nextId = 2 ** 31 - 1;
    const [stream, waiting] = [harness.begin(), harness.begin()];
    harness.take();
    expect(stream.id).toBe(2 ** 31 - 1);
    expect(waiting.heard).toEqual(['never']);
    expect(harness.events).toEqual(['draining']);
    harness.say(headers(stream.id), trailers(stream.id));
    expect(harness.events.slice(1)).toEqual(['over: in order']);
  });
});

describe('the table of header fields', () => {
  it('is emptied where one SETTINGS makes it nothing, and then as large as it was', () => {
    const harness = Harness.ready();
    const field = new RepeatedField('x-again', 'and again');
    const open = () => {
      const stream = new TestStream(harness.session);
      stream.writeFields = (encoder) => encoder.repeated(field);
      harness.session.open(stream);
      return harness
        .said()
        .find(({ type }) => type === FrameType.HEADERS)!
        .payload.toString('hex');
    };
    const first = open();
    expect(open()).toBe('be');
    harness.say(settings([TABLE, 0], [TABLE, 4_096]));
    // RFC 7541, section 4.2: the smallest size, and the last.
    expect(open()).toBe(`203fe11f${first}`);
    expect(open()).toBe('be');
  });
});

describe('what is sent', () => {
  const big = (harness: Harness, length: number): TestStream => {
    const stream = harness.begin();
    harness.session.message(stream, Buffer.alloc(length - 5), 0, undefined);
    harness.session.end(stream);
    return stream;
  };

  it('keeps to the window of the connection and of each stream', () => {
    const harness = Harness.ready({}, [WINDOW, 20_000]);
    const [first, second, third, fourth] = [1, 2, 3, 4].map(() => big(harness, 30_000));
    const sent = () => {
      const counts = new Map<number, number>();
      for (const { type, stream, payload } of harness.said()) {
        if (type === FrameType.DATA) counts.set(stream, (counts.get(stream) ?? 0) + payload.length);
      }
      return Object.fromEntries(counts);
    };
    expect(sent()).toEqual({ 1: 16_384, 3: 16_384, 5: 16_384, 7: 16_383 });
    harness.say(windowUpdate(1, 10_000));
    expect(sent()).toEqual({});
    harness.say(windowUpdate(0, 5_000));
    expect(sent()).toEqual({ 1: 5_000 });
    harness.say(windowUpdate(0, 100_000));
    expect(sent()).toEqual({ 1: 8_616, 3: 3_616, 5: 3_616, 7: 3_617 });
    // A window that is made smaller may go below zero, and has to come back.
    harness.say(settings([WINDOW, 15_000]));
    harness.say(windowUpdate(3, 5_000));
    expect(sent()).toEqual({});
    harness.say(windowUpdate(3, 1));
    expect(sent()).toEqual({ 3: 1 });
    harness.say(settings([WINDOW, 30_000]));
    expect(sent()).toEqual({ 3: 9_999, 5: 10_000, 7: 10_000 });
    expect([first, second, third, fourth].every((stream) => stream!.sentEnd)).toBe(true);
  });

  it('takes turns, a frame each, and lets small ones through between', () => {
    const harness = Harness.ready({}, [WINDOW, 1_000_000]);
    harness.say(windowUpdate(0, 1_000_000));
    big(harness, 60_000);
    big(harness, 60_000);
    big(harness, 100);
    const order = harness.said().filter(({ type }) => type === FrameType.DATA);
    expect(order.map(({ stream, payload }) => `${stream}: ${payload.length}`)).toEqual([
      '1: 16384',
      '3: 16384',
      '5: 100',
      '1: 16384',
      '3: 16384',
      '1: 16384',
      '3: 16384',
      '1: 10848',
      '3: 10848',
    ]);
  });

  it('is told as written when it is on its way, and not from within', async () => {
    const harness = Harness.ready();
    const written: string[] = [];
    const stream = harness.open();
    harness.session.message(stream, Buffer.alloc(10), 0, () => written.push('small'));
    harness.session.message(stream, Buffer.alloc(70_000), 0, () => written.push('large'));
    expect(written).toEqual([]);
    await Promise.resolve();
    expect(written).toEqual(['small']);
    harness.said();
    await Promise.resolve();
    expect(written).toEqual(['small']);
    harness.say(windowUpdate(0, 70_000), windowUpdate(1, 70_000));
    harness.said();
    await Promise.resolve();
    expect(written).toEqual(['small', 'large']);
  });

  it('waits for the taker where it is the HEADERS of many streams', () => {
    const harness = Harness.ready();
    const streams = Array.from({ length: 40 }, () => harness.begin('x'.repeat(10_000)));
    const { length } = harness.session.take();
    expect(length).toBeGreaterThan(65_536);
    expect(length).toBeLessThan(65_536 + 10_100);
    harness.take();
    expect(streams.map(({ place }) => place)).toEqual(streams.map(() => 'open'));
  });

  it('waits for the taker: no more than the mark lies ready', () => {
    const harness = Harness.ready({}, [WINDOW, 10_000_000]);
    harness.say(windowUpdate(0, 10_000_000));
    big(harness, 5_000_000);
    expect(harness.session.take().length).toBeLessThan(100_000);
    expect(harness.session.pending).toBe(true);
  });
});

describe('what comes', () => {
  it('gives the connection credit at once, and the stream as it is read', () => {
    const harness = Harness.ready();
    const stream = harness.open();
    stream.reads = false;
    harness.said();
    harness.say(headers(1), data(1, Buffer.alloc(16_384)), data(1, Buffer.alloc(16_384)));
    expect(harness.saidShort()).toEqual(['WINDOW_UPDATE 0']);
    harness.session.credit(stream, 32_767);
    expect(harness.saidShort()).toEqual([]);
    harness.session.credit(stream, 1);
    expect(harness.saidShort()).toEqual(['WINDOW_UPDATE 1']);
    harness.say(frame(FrameType.DATA, 8, 1, Buffer.concat([Buffer.of(255), Buffer.alloc(300)])));
    expect(stream.uncredited).toBe(256);
  });
});

describe('GOAWAY', () => {
  it('ends what the server will not process, and lets the rest finish', () => {
    const harness = Harness.ready({}, [LIMIT, 2]);
    const [first, second, waiting] = [1, 2, 3].map(() => harness.open());
    harness.said();
    harness.say(goAway(2 ** 31 - 1, 0));
    expect(harness.events).toEqual(['draining']);
    expect(waiting!.heard).toEqual(['never']);
    harness.say(goAway(1, 0));
    expect(second!.heard).toEqual(['refused']);
    expect(first!.heard).toEqual([]);
    harness.say(headers(1), trailers(1));
    expect(first!.heard).toEqual(['headers', 'trailers']);
    expect(harness.events).toEqual(['draining', 'over: in order']);
    expect(harness.goneWith()).toBe(ErrorCode.NO_ERROR);
    expect(harness.clock.pending).toBe(0);
  });

  it('says when we pinged too often', () => {
    const harness = Harness.ready();
    const stream = harness.open();
    harness.said();
    harness.say(goAway(1, ErrorCode.ENHANCE_YOUR_CALM, 'too_many_pings'));
    expect(harness.events).toEqual(['draining, too many pings']);
    harness.session.lost('the connection was closed');
    expect(stream.why).toMatchObject({
      kind: 'lost',
      details: 'the connection was closed; before, the server went away: ENHANCE_YOUR_CALM "too_many_pings"',
    });
  });

  it('is sent by us when we retire, after the last stream', () => {
    const harness = Harness.ready();
    harness.open();
    harness.said();
    harness.session.retire('closed');
    expect(harness.saidShort()).toEqual([]);
    harness.say(headers(1), trailers(1));
    expect(harness.goneWith()).toBe(ErrorCode.NO_ERROR);
    expect(harness.events).toEqual(['over: in order']);
  });
});

describe('what ends the session', () => {
  /** Ends a session with a stream that is open and, where ids are left, one that waits. */
  const ends: [how: string, end: (harness: Harness) => void, told: string[]][] = [
    ['GOAWAY', (harness) => harness.say(goAway(0, 0)), ['draining', 'over: in order']],
    ['a fault', (harness) => harness.say(ping(), frame(FrameType.PING, 0, 0, [1])), ['over: ']],
    ['the end of the connection', (harness) => harness.session.lost('gone'), []],
  ];

  it.each(ends)('%s: is told to the owner first', (_, end, told) => {
    const harness = Harness.ready({}, [LIMIT, 1]);
    const [open, waiting] = [harness.open(), harness.open()];
    const seen: number[] = [];
    for (const stream of [open, waiting]) stream.whenAborted = () => seen.push(harness.events.length);
    end(harness);
    expect(harness.events.map((event) => event.replace(/: [A-Z].*/, ': '))).toEqual(told);
    expect(seen).toHaveLength(2);
    if (told.length > 0) expect(Math.min(...seen)).toBeGreaterThan(0);
  });

  it.each(ends)('%s: ends a stream that comes when another hears of it', async (_, end) => {
    const harness = Harness.ready({}, [LIMIT, 1]);
    const late: TestStream[] = [];
    for (const stream of [harness.open(), harness.open()])
      stream.whenAborted = () => late.push(harness.begin());
    end(harness);
    expect(late.map(({ heard }) => heard)).toEqual([[], []]);
    await Promise.resolve();
    expect(late.map(({ heard }) => heard)).toEqual([['never'], ['never']]);
  });

  it.each(ends)('%s: is heard by all, though the listener of one throws', (_, end, told) => {
    const later = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation(() => {});
    onTestFinished(() => later.mockRestore());
    const harness = Harness.ready({}, [LIMIT, 2]);
    const streams = [1, 2, 3, 4].map(() => harness.open());
    for (const stream of [streams[0]!, streams[2]!]) {
      stream.whenAborted = () => {
        throw new Error('a listener');
      };
    }
    end(harness);
    expect(streams.map(({ heard }) => heard.length)).toEqual([1, 1, 1, 1]);
    expect(harness.events.map((event) => event.replace(/: [A-Z].*/, ': '))).toEqual(told);
    expect(later).toHaveBeenCalledTimes(2);
    for (const [thrower] of later.mock.calls) expect(thrower).toThrow('a listener');
  });

  it('the last id: is told to the owner first, and ends a stream that comes then', async () => {
    const harness = Harness.ready();
    harness.session.nextId = 2 ** 31 - 1;
    const [, waiting] = [harness.begin(), harness.begin()];
    const late: TestStream[] = [];
    waiting.whenAborted = () => {
      expect(harness.events).toEqual(['draining']);
      late.push(harness.begin());
    };
    harness.take();
    await Promise.resolve();
    expect(late.map(({ heard }) => heard)).toEqual([['never']]);
  });
});

describe('a connection that is lost', () => {
  it('tells apart what was written and what was not', () => {
    const harness = Harness.ready({}, [LIMIT, 2]);
    const written = harness.open();
    harness.said();
    const unwritten = harness.begin();
    harness.session.message(unwritten, Buffer.alloc(9), 0, undefined);
    const waiting = harness.begin();
    harness.session.lost('read ECONNRESET');
    expect([written.heard, unwritten.heard, waiting.heard]).toEqual([['lost'], ['never'], ['never']]);
    expect(written.why).toMatchObject({ details: 'read ECONNRESET' });
    expect(harness.session.isOver).toBe(true);
  });

  it('does not send what it calls unwritten', () => {
    const harness = Harness.ready();
    const stream = harness.begin();
    harness.session.message(stream, Buffer.alloc(9), 0, undefined);
    harness.say(ping(Buffer.alloc(7)), frame(FrameType.PING, 0, 0, [1]));
    expect(stream.heard).toEqual(['never']);
    expect(harness.saidShort()).toEqual(['GOAWAY 0']);
  });
});

describe('PING', () => {
  it('is answered with its data', () => {
    const harness = Harness.ready();
    harness.say(ping(Buffer.from('12345678')));
    expect(harness.said()).toEqual([
      { type: FrameType.PING, flags: 1, stream: 0, payload: Buffer.from('12345678') },
    ]);
  });

  const keepAlive = { timeMs: 1_000, timeoutMs: 100, withoutCalls: false };

  it('asks whether the server is there after a silence, while a call is open', async () => {
    const harness = Harness.ready({ keepAlive });
    await harness.clock.advance(5_000);
    expect(harness.saidShort()).toEqual([]);
    harness.open();
    harness.said();
    await harness.clock.advance(500);
    harness.say(settings());
    harness.said();
    await harness.clock.advance(999);
    expect(harness.saidShort()).toEqual([]);
    await harness.clock.advance(1);
    const [asked] = harness.said();
    expect(asked).toMatchObject({ type: FrameType.PING, flags: 0 });
    harness.say(ping(Buffer.from(asked!.payload), 1));
    await harness.clock.advance(999);
    expect(harness.saidShort()).toEqual([]);
    await harness.clock.advance(1);
    expect(harness.saidShort()).toEqual(['PING 0']);
    await harness.clock.advance(99);
    expect(harness.session.isOver).toBe(false);
    await harness.clock.advance(1);
    expect(harness.events.at(-1)).toBe('over: no answer to a ping in 100 ms');
    expect(harness.clock.pending).toBe(0);
  });

  it('asks without a call where it is told to', async () => {
    const harness = Harness.ready({ keepAlive: { ...keepAlive, withoutCalls: true } });
    await harness.clock.advance(1_000);
    expect(harness.saidShort()).toEqual(['PING 0']);
    // Any word will do.
    await harness.clock.advance(50);
    harness.say(settings());
    await harness.clock.advance(50);
    expect(harness.session.isOver).toBe(false);
  });
});

describe('a flood', () => {
  const TOO_MANY = 10_100;
  const calls = (harness: Harness) => harness.open();

  it.each<[what: string, (harness: Harness) => Buffer]>([
    ['PING', () => ping()],
    ['answers to pings', () => ping(Buffer.alloc(8), 1)],
    ['SETTINGS', () => settings()],
    ['WINDOW_UPDATE', () => windowUpdate(0, 1)],
    ['WINDOW_UPDATE of a stream', () => windowUpdate(1, 1)],
    ['RST_STREAM of closed streams', () => reset(1, 0)],
    ['empty DATA', () => data(1, '')],
    ['empty DATA with padding', () => frame(FrameType.DATA, 8, 1, [3, 0, 0, 0])],
    ['PRIORITY', () => frame(FrameType.PRIORITY, 0, 9, Buffer.alloc(5))],
    ['unknown frames', () => frame(99, 0, 0)],
    ['GOAWAY', () => goAway(5, 0)],
    ['interim responses', () => headers(3, { ':status': '103' })],
  ])('of %s ends with ENHANCE_YOUR_CALM, though the answers are read', (_, next) => {
    const harness = Harness.ready();
    calls(harness);
    calls(harness);
    harness.say(headers(1));
    for (let sent = 0; sent < TOO_MANY && !harness.session.isOver; sent++) {
      harness.say(next(harness));
      if (harness.session.isOver) break;
      if (sent % 100 === 0) harness.said();
    }
    expect(harness.goneWith()).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  it('of what wants answers ends sooner when they are not read', () => {
    const harness = Harness.ready();
    harness.say(...Array.from({ length: 1_001 }, () => ping()));
    expect(harness.goneWith()).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  it('of CONTINUATION ends after a bounded number, and a bounded length', () => {
    const crumbs = Harness.ready();
    calls(crumbs);
    crumbs.say(frame(FrameType.HEADERS, 0, 1, [0x88]));
    crumbs.say(...Array.from({ length: 100 }, () => frame(FrameType.CONTINUATION, 0, 1)));
    expect(crumbs.goneWith()).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    const loaves = Harness.ready();
    calls(loaves);
    loaves.say(frame(FrameType.HEADERS, 0, 1, [0x88]));
    loaves.say(
      ...Array.from({ length: 3 }, () => frame(FrameType.CONTINUATION, 0, 1, Buffer.alloc(16_384, 0x88))),
    );
    expect(loaves.goneWith()).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  it('is none where pings and updates come with data, as from servers that measure the path', () => {
    const harness = Harness.ready({ connectionWindow: 1_000_000, streamWindow: 1_000_000 });
    const stream = calls(harness);
    harness.say(headers(1));
    for (let i = 0; i < 20_000; i++) {
      harness.say(data(1, 'x'), ping(), windowUpdate(0, 1), windowUpdate(1, 1));
      harness.said();
    }
    expect(harness.session.isOver).toBe(false);
    expect(stream.bytes).toHaveLength(20_000);
  });

  it('is forgotten with time', async () => {
    const harness = Harness.ready();
    for (let second = 0; second < 100; second++) {
      for (let i = 0; i < 300; i++) harness.say(ping());
      harness.said();
      await harness.clock.advance(1_000);
    }
    expect(harness.session.isOver).toBe(false);
  });
});
