import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Flag, FrameType } from '../../../../../src/balancer/transport/http2/frames/protocol.js';
import { block, frame, ping, reset, settings, windowUpdate } from '../frames/wire.js';
import { Harness } from './harness.js';

const STREAMS = 4;
const WINDOW = 1_000_000;

/** What a server may do on a stream, one thing after another. */
const act = fc.oneof(
  fc.record({ kind: fc.constant('data' as const), length: fc.integer({ min: 0, max: 600 }) }),
  fc.record({ kind: fc.constant('interim' as const) }),
);
const ending = fc.constantFrom(
  'trailers',
  'end with data',
  'end with empty data',
  'reset',
  'headers only',
  'none',
);
const script = fc.record({
  acts: fc.array(act, { maxLength: 6 }),
  ending,
  fields: fc.dictionary(fc.stringMatching(/^x-[a-z]{1,8}$/), fc.stringMatching(/^[!-~]{0,300}$/), {
    maxKeys: 4,
  }),
});

type Act = { readonly kind: 'data'; readonly length: number } | { readonly kind: 'interim' };

interface Script {
  readonly acts: readonly Act[];
  readonly ending: string;
  readonly fields: Readonly<Record<string, string>>;
}

interface Said {
  readonly frames: Buffer[];
  readonly heard: string[];
  readonly bytes: Buffer;
}

/** A server's frames on one stream, and what its owner should hear: the model, which is as naive as can be. */
function serve(id: number, padding: number, { acts, ending, fields }: Script): Said {
  const frames: Buffer[] = [];
  const heard: string[] = [];
  const bytes: Buffer[] = [];
  const pad = (type: number, flags: number, payload: Uint8Array) =>
    padding === 0
      ? frame(type, flags, id, payload)
      : frame(
          type,
          flags | Flag.PADDED,
          id,
          Buffer.concat([Buffer.of(padding), payload, Buffer.alloc(padding)]),
        );
  const blockFrames = (fields: Parameters<typeof block>[0], flags: number) => {
    const whole = block(fields);
    const cut = Math.min(whole.length, padding * 3);
    if (padding % 2 === 0) return [pad(FrameType.HEADERS, flags | Flag.END_HEADERS, whole)];
    return [
      pad(FrameType.HEADERS, flags, whole.subarray(0, cut)),
      frame(FrameType.CONTINUATION, Flag.END_HEADERS, id, whole.subarray(cut)),
    ];
  };
  const head = { ':status': '200', ...fields };
  if (ending === 'headers only') {
    return { frames: blockFrames(head, Flag.END_STREAM), heard: ['headers, end'], bytes: Buffer.alloc(0) };
  }
  const interims = acts.filter(({ kind }) => kind === 'interim').length;
  for (let i = 0; i < interims; i++) frames.push(...blockFrames({ ':status': '103' }, 0));
  frames.push(...blockFrames(head, 0));
  heard.push('headers');
  const data = (length: number, flags = 0) => {
    const payload = Buffer.alloc(length, id + length);
    frames.push(pad(FrameType.DATA, flags, payload));
    bytes.push(payload);
    if (length > 0) heard.push(`data ${length}`);
  };
  for (const one of acts) if (one.kind === 'data') data(one.length);
  if (ending === 'trailers') {
    frames.push(...blockFrames({ 'grpc-status': '0', ...fields }, Flag.END_STREAM));
    heard.push('trailers');
  } else if (ending === 'end with data') {
    data(7, Flag.END_STREAM);
    heard.push('end');
  } else if (ending === 'end with empty data') {
    data(0, Flag.END_STREAM);
    heard.push('end');
  } else if (ending === 'reset') {
    frames.push(reset(id, 8));
    heard.push('reset 8');
  }
  return { frames, heard, bytes: Buffer.concat(bytes) };
}

const beside = fc.constantFrom(
  ping(),
  settings([3, 1_000]),
  windowUpdate(0, 1),
  frame(99, 7, 5, [1, 2, 3]),
  frame(FrameType.PRIORITY, 0, 1, Buffer.alloc(5)),
);

/** Frames of several streams, in any order that keeps each stream's own; blocks are not torn apart. */
const conversation = fc
  .record({
    scripts: fc.array(script, { minLength: STREAMS, maxLength: STREAMS }),
    paddings: fc.array(fc.constantFrom(0, 0, 1, 2, 9, 255), { minLength: STREAMS, maxLength: STREAMS }),
    turns: fc.infiniteStream(fc.nat(STREAMS)),
    besides: fc.infiniteStream(beside),
  })
  .map(({ scripts, paddings, turns, besides }) => {
    const said = scripts.map((script, at) => serve(at * 2 + 1, paddings[at]!, script));
    const left = said.map(({ frames }) => [...frames]);
    const frames: Buffer[] = [];
    let torn: number | undefined;
    while (left.some(({ length }) => length > 0)) {
      const turn: number = torn ?? turns.next().value;
      if (turn === STREAMS) {
        frames.push(besides.next().value);
        continue;
      }
      const next = left[turn]!.shift();
      if (next === undefined) continue;
      frames.push(next);
      const opens = next[3] === FrameType.HEADERS && (next[4]! & Flag.END_HEADERS) === 0;
      torn = opens ? turn : undefined;
    }
    return { said, bytes: Buffer.concat(frames) };
  });

function begin(): { harness: Harness; streams: ReturnType<Harness['open']>[] } {
  const harness = Harness.ready({ streamWindow: WINDOW, connectionWindow: WINDOW });
  const streams = Array.from({ length: STREAMS }, () => harness.open());
  harness.said();
  return { harness, streams };
}

/** In chunks of the sizes given, again and again. */
function feed(harness: Harness, bytes: Buffer, sizes: readonly number[]): void {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const to = Math.min(bytes.length, at + sizes[i % sizes.length]!);
    // As from a socket: the chunk lies in a buffer that is used for the next.
    const chunk = Buffer.concat([Buffer.alloc(3, 0xee), bytes.subarray(at, to), Buffer.alloc(2, 0xee)]);
    harness.session.receive(chunk, 3, 3 + to - at);
    chunk.fill(0xdd);
    at = to;
  }
}

describe('a session', () => {
  it('hears of valid frames, in any chunks, what a naive model says', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(conversation, sizes, ({ said, bytes }, sizes) => {
        const { harness, streams } = begin();
        feed(harness, bytes, sizes);
        expect(harness.events.filter((event) => event.startsWith('over'))).toEqual([]);
        expect(streams.map(({ heard }) => heard)).toEqual(said.map(({ heard }) => heard));
        expect(streams.map(({ bytes }) => bytes)).toEqual(said.map(({ bytes }) => bytes));
      }),
    );
  });

  it('neither throws nor goes on about bytes that were changed on the way', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(conversation, changes, fc.integer({ min: 1, max: 300 }), ({ bytes }, changes, size) => {
        const { harness, streams } = begin();
        const changed = Buffer.from(bytes);
        for (const [at, value] of changes) changed[at % changed.length] = value;
        feed(harness, changed, [size]);
        check(harness, streams, bytes.length);
      }),
      { numRuns: 500 },
    );
  });

  it('neither throws nor goes on about bytes that mean nothing', () => {
    const header = fc
      .record({
        length: fc.oneof(fc.nat(40), fc.nat(2 ** 24 - 1)),
        type: fc.nat(11),
        flags: fc.nat(255),
        stream: fc.oneof(fc.nat(9), fc.nat(2 ** 31 - 1)),
        payload: fc.uint8Array({ maxLength: 40 }),
        honest: fc.boolean(),
      })
      .map(({ length, type, flags, stream, payload, honest }) => {
        const bytes = frame(type, flags, stream, payload);
        if (!honest) bytes.writeUIntBE(length, 0, 3);
        return bytes;
      });
    const noise = fc.array(fc.oneof(header, fc.uint8Array({ maxLength: 60 })), { maxLength: 30 });
    fc.assert(
      fc.property(noise, fc.integer({ min: 1, max: 100 }), (parts, size) => {
        const { harness, streams } = begin();
        const bytes = Buffer.concat(parts);
        if (bytes.length > 0) feed(harness, bytes, [size]);
        check(harness, streams, bytes.length);
      }),
      { numRuns: 1_000 },
    );
  });
});

/** Whatever came: each stream hears of one end at most, what we say is in proportion, and once it is over it is over. */
function check(harness: Harness, streams: ReturnType<Harness['open']>[], length: number): void {
  for (const { heard } of streams) {
    const ends = heard.filter((what) => !what.startsWith('data') && what !== 'headers');
    expect(ends.length).toBeLessThanOrEqual(1);
    if (ends.length === 1) expect(heard.at(-1)).toBe(ends[0]);
  }
  const { session } = harness;
  // Nine bytes of SETTINGS are answered with nine; of a header that is wrong, thirteen of RST_STREAM.
  expect(session.output.length).toBeLessThanOrEqual(2 * length + 300);
  if (!session.isOver) return;
  expect(session.streams.size).toBe(0);
  expect(harness.clock.pending).toBe(0);
  expect(harness.events.filter((event) => event.startsWith('over'))).toHaveLength(1);
}
