// A gRPC call on a stream, by PROTOCOL-HTTP2.md, against frames that the test writes.
import { deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import { CallCredentials, Metadata } from '@grpc/grpc-js';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ErrorCode, FrameType } from '../../../../../src/balancer/transport/http2/frames/protocol.js';
import { Status } from '../../../../../src/base/errors.js';
import { settle } from '../../../../../src/testing/index.js';
import { data, goAway, headers, reset, settings, trailers } from '../frames/wire.js';
import { CallHarness, message } from './call-harness.js';

const OK = { ':status': '200', 'content-type': 'application/grpc' };

describe('a request', () => {
  it('has the headers that gRPC wants, in the order in which it wants them', () => {
    const harness = new CallHarness();
    const metadata = new Metadata();
    metadata.set('x-name', 'alice');
    metadata.add('x-bytes-bin', Buffer.from([1]));
    metadata.add('x-bytes-bin', Buffer.from([1, 2, 3]));
    metadata.set('user-agent', 'somebody else');
    harness.unary({ metadata, authority: 'other' }, 1_500);
    expect(harness.fieldsIn(harness.wire.said())).toEqual([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', '/s/m'],
      [':authority', 'other'],
      ['te', 'trailers'],
      ['content-type', 'application/grpc'],
      ['user-agent', 'test'],
      ['grpc-accept-encoding', 'identity,deflate,gzip'],
      ['accept-encoding', 'identity'],
      ['grpc-timeout', '1500m'],
      ['x-name', 'alice'],
      ['x-bytes-bin', 'AQ'],
      ['x-bytes-bin', 'AQID'],
    ]);
  });

  it('says what is left of its time when it goes, which may be later', async () => {
    const harness = new CallHarness({ peer: [[3, 0]] });
    harness.unary({}, 1_500);
    await harness.clock.advance(700.5);
    expect(harness.wire.said()).toEqual([]);
    harness.wire.say(settings([3, 1]));
    expect(harness.fieldsIn(harness.wire.said())).toContainEqual(['grpc-timeout', '800m']);
  });

  it.each([
    [0.2, '1m'],
    [99_999_999, '99999999m'],
    [99_999_999.5, '100000S'],
    [1e12, '16666667M'],
    [1e15, '99999999H'],
    [1e300, '99999999H'],
  ])('with %d ms left says %s', (timeoutMs, value) => {
    const harness = new CallHarness();
    harness.unary({}, timeoutMs);
    const [, said] = harness.fieldsIn(harness.wire.said()).find(([name]) => name === 'grpc-timeout')!;
    expect(said).toBe(value);
  });

  it('keeps what is secret out of the tables on the way', () => {
    const harness = new CallHarness();
    const metadata = new Metadata();
    metadata.set('authorization', 'Bearer token');
    metadata.set('x-key-bin', Buffer.from('key'));
    harness.unary({ metadata });
    const { payload } = harness.wire.said().find(({ type }) => type === FrameType.HEADERS)!;
    // A literal that is never indexed begins with 0001 (RFC 7541, section 6.2.3); authorization is the static field 23.
    const at = payload.indexOf(Buffer.from('Bearer token')) - 3;
    expect(payload.subarray(at, at + 2)).toEqual(Buffer.of(0x1f, 23 - 15));
    expect(payload[payload.indexOf(Buffer.from('x-key-bin')) - 2]).toBe(0x10);
  });

  it.each([
    ['a pseudo-header', ':path', '/other'],
    ['a header of connections', 'connection', 'close'],
    ['te', 'te', 'gzip'],
  ])('with %s as metadata is not sent, and says why', async (_, name, value) => {
    const harness = new CallHarness();
    const metadata = new Metadata();
    metadata.set(name, value);
    const { heard } = harness.unary({ metadata });
    expect(heard.log).toEqual([]);
    const { code, details, reached } = await heard.ended;
    expect({ code, reached }).toEqual({ code: Status.INTERNAL, reached: 'unsendable' });
    expect(details).toContain(JSON.stringify(name));
    expect(harness.wire.said()).toEqual([]);
  });

  it('that is larger than the server takes is not sent', async () => {
    const harness = new CallHarness({ peer: [[6, 2_000]] });
    const metadata = new Metadata();
    metadata.set('x-large', 'x'.repeat(2_000));
    const { heard } = harness.unary({ metadata });
    expect(await heard.ended).toMatchObject({ code: Status.RESOURCE_EXHAUSTED, reached: 'unsendable' });
    harness.unary();
    expect(harness.wire.said()).not.toEqual([]);
  });

  it('whose message is larger than we send is not sent', async () => {
    const harness = new CallHarness({ maxSend: 6 });
    const { heard } = harness.unary();
    expect(await heard.ended).toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
      details: 'Attempted to send message with a size larger than 6',
      reached: 'unsendable',
    });
    expect(harness.wire.said()).toEqual([]);
  });

  it.each(['gzip', 'deflate'] as const)(
    'compresses by %s what it is not told to leave, in order',
    async (how) => {
      const harness = new CallHarness({ compression: how });
      const { call } = harness.start();
      const text = Buffer.alloc(1_000, 'a');
      call.sendMessage(text);
      call.sendMessage(Buffer.from('plain'), undefined, false);
      call.sendMessage(text);
      call.halfClose();
      const frames: Buffer[] = [];
      await expect
        .poll(() => {
          for (const { type, flags, payload } of harness.wire.said()) {
            if (type === FrameType.DATA) frames.push(payload);
            if (type === FrameType.DATA && flags === 1) return 'ended';
          }
          return 'open';
        })
        .toBe('ended');
      const [first, second, third] = messagesIn(Buffer.concat(frames));
      expect([first!.flag, second, third!.flag]).toEqual([1, { flag: 0, bytes: Buffer.from('plain') }, 1]);
      if (how === 'gzip') expect(gunzipSync(first!.bytes)).toEqual(text);
      expect(third).toEqual(first);
    },
  );
});

describe('a response', () => {
  it('is told in the order in which it came, one message for each that was asked for', async () => {
    const harness = new CallHarness();
    const { call, heard } = harness.unary();
    harness.wire.say(headers(1, { ...OK, 'x-head': 'a' }), data(1, message('one')), data(1, message('two')));
    harness.wire.say(trailers(1, { 'grpc-status': '9', 'grpc-message': 'no', 'x-trail': 'b' }));
    expect(heard.log).toEqual(['headers', 'message 3']);
    call.startRead();
    expect(heard.log).toEqual(['headers', 'message 3']);
    await settle();
    // An error overtakes nothing.
    expect(heard.log).toEqual(['headers', 'message 3', 'message 3', 'status 9']);
    expect(heard.headers!.getMap()).toEqual({ 'content-type': 'application/grpc', 'x-head': 'a' });
    expect(heard.status).toMatchObject({ code: 9, details: 'no', reached: 'maybe' });
    expect(heard.status!.metadata.getMap()).toEqual({ 'x-trail': 'b' });
  });

  it('has its messages wherever its frames and chunks are cut', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });
    const contents = fc.array(fc.string({ maxLength: 60 }), { maxLength: 8 });
    fc.assert(
      fc.property(contents, cuts, (contents, cuts) => {
        const harness = new CallHarness();
        const { call, heard } = harness.unary();
        for (const _ of contents) call.startRead();
        harness.wire.say(headers(1));
        const body = Buffer.concat(contents.map((text) => message(text)));
        for (let at = 0, i = 0; at < body.length; at += cuts[i++ % cuts.length]!) {
          harness.wire.say(data(1, body.subarray(at, at + cuts[i % cuts.length]!)));
        }
        harness.wire.say(trailers(1));
        expect(heard.messages.map(String)).toEqual(contents);
        expect(heard.log.at(-1)).toBe('status 0');
      }),
    );
  });

  it('has its messages in order where thousands of them wait to be read', async () => {
    const harness = new CallHarness();
    const { call, heard } = harness.start();
    harness.wire.take();
    const texts = Array.from({ length: 5_000 }, (_, i) => String(i));
    const body = Buffer.concat(texts.map((text) => message(text)));
    harness.wire.say(headers(1));
    for (let at = 0; at < body.length; at += 16_384)
      harness.wire.say(data(1, body.subarray(at, at + 16_384)));
    harness.wire.say(trailers(1));
    for (const _ of texts) call.startRead();
    await settle();
    expect(heard.messages.map(String)).toEqual(texts);
    expect(heard.log.at(-1)).toBe('status 0');
  });

  it('has no memory for a large message before it comes', () => {
    const harness = new CallHarness();
    harness.unary();
    harness.wire.say(headers(1));
    const beginning = data(1, message(Buffer.alloc(4_000_000)).subarray(0, 10));
    const allocate = vi.spyOn(Buffer, 'allocUnsafe');
    onTestFinished(() => allocate.mockRestore());
    harness.wire.session.receive(beginning, 0, beginning.length);
    expect(allocate.mock.calls.map(([size]) => size)).toEqual([65_536]);
  });

  it('gives back to the server what was read, and not what lies here', async () => {
    const harness = new CallHarness();
    const { call } = harness.unary();
    harness.wire.say(headers(1));
    const large = message(Buffer.alloc(300_000));
    for (let at = 0; at < large.length; at += 16_384)
      harness.wire.say(data(1, large.subarray(at, at + 16_384)));
    // The first was on its way to whoever waited for it.
    const credited = () =>
      harness.wire
        .said()
        .filter(({ type, stream }) => type === FrameType.WINDOW_UPDATE && stream === 1)
        .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
    expect(credited()).toBe(0);
    for (let at = 0; at < large.length; at += 16_384)
      harness.wire.say(data(1, large.subarray(at, at + 16_384)));
    expect(credited()).toBe(0);
    call.startRead();
    await settle();
    expect(credited()).toBe(2 * large.length);
  });

  it.each([
    ['gzip', gzipSync(Buffer.alloc(1_000, 'a'))],
    ['deflate', deflateSync(Buffer.alloc(1_000, 'a'))],
  ])('is decompressed by %s, and its end waits for that', async (how, bytes) => {
    const harness = new CallHarness();
    const { call, heard } = harness.unary();
    call.startRead();
    harness.wire.say(headers(1, { ...OK, 'grpc-encoding': how }));
    harness.wire.say(data(1, message(bytes, 1)), data(1, message('plain')), trailers(1));
    await heard.ended;
    expect(heard.log).toEqual(['headers', 'message 1000', 'message 5', 'status 0']);
    expect(heard.headers!.getMap()).toEqual({ 'content-type': 'application/grpc' });
  });

  it.each<[what: string, code: number, details: RegExp, encoding: string | undefined, body: Buffer]>([
    [
      'is larger than we take',
      Status.RESOURCE_EXHAUSTED,
      /^Received message larger than max \(10001 vs 10000\)$/,
      undefined,
      Buffer.from('0000002711', 'hex'),
    ],
    [
      'becomes larger than we take',
      Status.RESOURCE_EXHAUSTED,
      /decompresses to a size larger than 10000/,
      'gzip',
      message(gzipSync(Buffer.alloc(10_001)), 1),
    ],
    [
      'becomes very much larger',
      Status.RESOURCE_EXHAUSTED,
      /decompresses/,
      'gzip',
      message(gzipSync(Buffer.alloc(9_000_000)), 1),
    ],
    [
      'is not compressed as it says',
      Status.INTERNAL,
      /^Failed to decompress gzip-encoded message$/,
      'gzip',
      message('nonsense', 1),
    ],
    [
      'is compressed, and does not say how',
      Status.INTERNAL,
      /"grpc-encoding" header was identity/,
      undefined,
      message('x', 1),
    ],
    [
      'is compressed in a way of its own',
      Status.INTERNAL,
      /unsupported compression method snappy/,
      'snappy',
      message('x', 1),
    ],
    ['has a flag that means nothing', Status.INTERNAL, /flag 7/, undefined, message('x', 7)],
  ])('that %s is an error, and the server is told to stop', async (_, code, details, encoding, body) => {
    const harness = new CallHarness({ maxReceive: 10_000 });
    const { heard } = harness.unary();
    harness.wire.said();
    harness.wire.say(headers(1, { ...OK, ...(encoding && { 'grpc-encoding': encoding }) }), data(1, body));
    const status = await heard.ended;
    expect(status).toMatchObject({ code, details: expect.stringMatching(details), reached: 'maybe' });
    expect(harness.wire.said().find(({ type }) => type === FrameType.RST_STREAM)?.payload).toEqual(
      Buffer.from([0, 0, 0, ErrorCode.CANCEL]),
    );
    expect(heard.log.filter((line) => line.startsWith('status'))).toHaveLength(1);
  });

  it.each([
    ['in its prefix', Buffer.from([0, 0, 0]), "Received 3 bytes of a message's prefix, and then the end"],
    [
      'in its message',
      message('hello').subarray(0, 7),
      'Received 2 of 5 bytes of a message, and then the end',
    ],
  ])('that is cut off %s did not end well, whatever the server says', (_, body, details) => {
    const harness = new CallHarness();
    const { heard } = harness.unary();
    harness.wire.say(headers(1), data(1, body), trailers(1));
    expect(heard.status).toMatchObject({ code: Status.INTERNAL, details });
  });
});

describe('the end', () => {
  it.each<[what: string, code: number, details: string, fields: Record<string, string>]>([
    ['a code and a message', 5, 'no such thing', { 'grpc-status': '5', 'grpc-message': 'no such thing' }],
    ['a code alone', 5, '', { 'grpc-status': '5' }],
    [
      'a message that is coded',
      5,
      '100 %, à bientôt\n',
      { 'grpc-status': '5', 'grpc-message': '100 %25, %C3%A0 bient%c3%b4t%0A' },
    ],
    [
      'a message that is coded wrongly',
      5,
      '%zz %4 A%',
      { 'grpc-status': '5', 'grpc-message': '%zz %4 %41%' },
    ],
    ['a message that is no UTF-8', 5, 'a\ufffdb', { 'grpc-status': '5', 'grpc-message': 'a%ffb' }],
    ['a code that no table knows', 99, '', { 'grpc-status': '99' }],
    ['a code that is none', Status.UNKNOWN, '', { 'grpc-status': 'x' }],
    ['no code', Status.UNKNOWN, 'Received HTTP status code 200', { 'x-trail': 'a' }],
  ])('in trailers with %s', (_, code, details, fields) => {
    const harness = new CallHarness();
    const { heard } = harness.unary();
    harness.wire.say(headers(1), trailers(1, fields));
    expect(heard.status).toMatchObject({ code, details, reached: 'maybe' });
    expect(heard.log).toEqual(['headers', `status ${code}`]);
  });

  it('in headers alone is no beginning', () => {
    const harness = new CallHarness();
    const { heard } = harness.unary();
    harness.wire.say(headers(1, { ...OK, 'grpc-status': '12', 'grpc-message': 'who?', 'x-trail': 'a' }, 1));
    expect(heard.log).toEqual(['status 12']);
    expect(heard.status!.metadata.getMap()).toEqual({ 'content-type': 'application/grpc', 'x-trail': 'a' });
  });

  it('without any status', () => {
    const harness = new CallHarness();
    const { heard } = harness.unary();
    harness.wire.say(headers(1), data(1, message('x'), 1));
    expect(heard.log).toEqual(['headers', 'message 1', 'status 13']);
    expect(heard.status!.details).toContain('Call ended without gRPC status');
  });

  it.each([
    ['400', Status.INTERNAL],
    ['401', Status.UNAUTHENTICATED],
    ['403', Status.PERMISSION_DENIED],
    ['404', Status.UNIMPLEMENTED],
    ['429', Status.UNAVAILABLE],
    ['502', Status.UNAVAILABLE],
    ['503', Status.UNAVAILABLE],
    ['504', Status.UNAVAILABLE],
    ['500', Status.UNKNOWN],
    ['302', Status.UNKNOWN],
  ])('by HTTP status %s, with a page or without', (status, code) => {
    for (const page of [true, false]) {
      const harness = new CallHarness();
      const { heard } = harness.unary();
      harness.wire.said();
      harness.wire.say(headers(1, { ':status': status, 'content-type': 'text/html' }, page ? 0 : 1));
      expect(heard.status).toMatchObject({ code, details: `Received HTTP status code ${status}` });
      expect(harness.wire.saidShort()).toEqual(page ? ['RST_STREAM 1'] : []);
    }
  });

  it('by a gRPC status, whatever the HTTP status is', () => {
    const harness = new CallHarness();
    const { heard } = harness.unary();
    harness.wire.say(
      headers(1, { ':status': '503', 'content-type': 'application/grpc', 'grpc-status': '9' }, 1),
    );
    expect(heard.status).toMatchObject({ code: 9 });
  });

  it.each<[fields: Record<string, string>, code: number, details: string]>([
    [{ ...OK, ':status': '503' }, Status.UNAVAILABLE, 'Received HTTP status code 503'],
    [{ ':status': '404', 'content-type': 'text/html' }, Status.UNIMPLEMENTED, 'HTTP status code 404'],
    [{ ':status': '200', 'content-type': 'text/html' }, Status.UNKNOWN, 'the content-type "text/html"'],
    [{ ':status': '200' }, Status.UNKNOWN, 'no content-type'],
  ])('by an HTTP response that says OK in headers alone: %j', (fields, code, details) => {
    const harness = new CallHarness();
    const { heard } = harness.unary();
    harness.wire.say(headers(1, { ...fields, 'grpc-status': '0' }, 1));
    expect(heard.log).toEqual([`status ${code}`]);
    expect(heard.status!.details).toContain(details);
  });

  it.each([
    ['another content-type', { ':status': '200', 'content-type': 'text/html' }, '"text/html"'],
    ['no content-type', { ':status': '200' }, 'no content-type'],
  ])('by %s', (_, fields, named) => {
    const harness = new CallHarness();
    const { heard } = harness.unary();
    harness.wire.say(headers(1, fields), data(1, '<html>'));
    expect(heard.log).toEqual(['status 2']);
    expect(heard.status!.details).toContain(named);
  });

  it.each<[keyof typeof ErrorCode, number, string]>([
    ['NO_ERROR', Status.INTERNAL, 'maybe'],
    ['PROTOCOL_ERROR', Status.INTERNAL, 'maybe'],
    ['INTERNAL_ERROR', Status.INTERNAL, 'maybe'],
    ['FLOW_CONTROL_ERROR', Status.INTERNAL, 'maybe'],
    ['SETTINGS_TIMEOUT', Status.INTERNAL, 'maybe'],
    ['FRAME_SIZE_ERROR', Status.INTERNAL, 'maybe'],
    ['REFUSED_STREAM', Status.UNAVAILABLE, 'refused'],
    ['CANCEL', Status.CANCELLED, 'maybe'],
    ['COMPRESSION_ERROR', Status.INTERNAL, 'maybe'],
    ['CONNECT_ERROR', Status.INTERNAL, 'maybe'],
    ['ENHANCE_YOUR_CALM', Status.RESOURCE_EXHAUSTED, 'maybe'],
    ['INADEQUATE_SECURITY', Status.PERMISSION_DENIED, 'maybe'],
  ])('by RST_STREAM %s', (name, code, reached) => {
    const harness = new CallHarness();
    const { heard } = harness.unary();
    harness.wire.say(reset(1, ErrorCode[name]));
    expect(heard.status).toMatchObject({ code, reached });
  });

  it('by REFUSED_STREAM after headers proves nothing', () => {
    const harness = new CallHarness();
    const { heard } = harness.unary();
    harness.wire.say(headers(1), reset(1, ErrorCode.REFUSED_STREAM));
    expect(heard.status).toMatchObject({ code: Status.UNAVAILABLE, reached: 'maybe' });
  });

  it('by a GOAWAY below the stream proves that nobody has processed it', () => {
    const harness = new CallHarness();
    const { heard } = harness.unary();
    harness.wire.say(goAway(0, 0));
    expect(heard.status).toMatchObject({ code: Status.UNAVAILABLE, reached: 'refused' });
  });

  it('by a server that breaks the protocol', () => {
    const harness = new CallHarness();
    const { heard } = harness.unary();
    harness.wire.say(headers(1, { 'no-status': 'a' }));
    expect(heard.status).toMatchObject({ code: Status.INTERNAL, reached: 'maybe' });
    expect(heard.status!.details).toBe('The server broke the protocol: malformed: no :status');
  });

  it('by the deadline', async () => {
    const harness = new CallHarness();
    const { heard } = harness.unary({}, 100);
    harness.wire.said();
    await harness.clock.advance(99);
    expect(heard.log).toEqual([]);
    await harness.clock.advance(1);
    expect(heard.status).toMatchObject({
      code: Status.DEADLINE_EXCEEDED,
      details: 'Deadline exceeded after 0.100s,remote_addr=127.0.0.1:1',
    });
    expect(harness.wire.saidShort()).toEqual(['RST_STREAM 1']);
    expect(harness.clock.pending).toBe(0);
  });

  it('leaves no timer', () => {
    const harness = new CallHarness();
    const { heard } = harness.unary({}, 1_000_000);
    expect(harness.clock.pending).toBe(1);
    harness.wire.say(headers(1), trailers(1));
    expect(heard.log).toEqual(['headers', 'status 0']);
    expect(harness.clock.pending).toBe(0);
  });
});

describe('metadata of a response', () => {
  it('are what node:http2 and grpc-js make of them', () => {
    const harness = new CallHarness();
    const { heard } = harness.unary();
    harness.wire.say(
      headers(1, [
        [':status', '200'],
        ['content-type', 'application/grpc'],
        ['content-type', 'text/html'],
        ['x-text', 'one'],
        ['x-text', 'two'],
        ['x-list-bin', 'AQ==,AgM'],
        ['x-list-bin', 'BA'],
        ['x-beyond', 'caf\xe9'],
        ['grpc-encoding', 'identity'],
        ['grpc-accept-encoding', 'gzip'],
      ]),
    );
    expect(heard.headers!.toJSON()).toEqual({
      'content-type': ['application/grpc'],
      'x-text': ['one, two'],
      'x-list-bin': [Buffer.from([1]), Buffer.from([2, 3]), Buffer.from([4])],
    });
  });
});

describe('credentials', () => {
  const giving = (name: string, value: string) =>
    CallCredentials.createFromMetadataGenerator((_, done) => {
      const metadata = new Metadata();
      metadata.set(name, value);
      done(null, metadata);
    });

  it('of the call and of the connection are added, and the request waits for them', async () => {
    const harness = new CallHarness({ credentials: giving('x-shared', 's') });
    const metadata = new Metadata();
    metadata.set('x-name', 'alice');
    harness.unary({ metadata, credentials: giving('authorization', 'Bearer t') });
    expect(harness.wire.said()).toEqual([]);
    await settle();
    expect(harness.fieldsIn(harness.wire.said()).slice(-3)).toEqual([
      ['x-name', 'alice'],
      ['authorization', 'Bearer t'],
      ['x-shared', 's'],
    ]);
  });

  it('that say authorization again are at fault', async () => {
    const harness = new CallHarness();
    const metadata = new Metadata();
    metadata.set('authorization', 'Basic x');
    const { heard } = harness.unary({ metadata, credentials: giving('authorization', 'Bearer t') });
    expect(await heard.ended).toMatchObject({
      code: Status.INTERNAL,
      details: '"authorization" metadata cannot have multiple values',
      reached: 'unsendable',
    });
    expect(harness.wire.said()).toEqual([]);
  });

  it('that throw, or never answer, cost their call alone', async () => {
    const harness = new CallHarness();
    const throwing = CallCredentials.createFromMetadataGenerator(() => {
      throw new Error('broken');
    });
    const { heard } = harness.unary({ credentials: throwing });
    expect(await heard.ended).toMatchObject({
      code: Status.UNKNOWN,
      details: 'Getting metadata from plugin failed with error: broken',
      reached: 'unsendable',
    });
    const silent = harness.unary({ credentials: CallCredentials.createFromMetadataGenerator(() => {}) }, 50);
    await harness.clock.advance(50);
    expect(silent.heard.status).toMatchObject({ code: Status.DEADLINE_EXCEEDED, reached: 'never' });
    expect(harness.left).toHaveLength(2);
  });
});

function messagesIn(bytes: Buffer): { flag: number; bytes: Buffer }[] {
  const messages: { flag: number; bytes: Buffer }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    messages.push({ flag: bytes[at]!, bytes: bytes.subarray(at + 5, end) });
    at = end;
  }
  return messages;
}
