import type { Random } from '../../src/base/random.js';

/** What is written to a connection, piece by piece, and how it ends. */
export interface HostileConnection {
  readonly pieces: readonly Buffer[];
  /** Before each piece, in milliseconds. */
  readonly pauseMs: number;
  readonly reads: boolean;
  readonly end: 'half-close' | 'reset' | 'linger';
}

const METHODS = [
  'GET',
  'GET',
  'POST',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'LOCK',
  'PURGE',
  'CONNECT',
  'get',
  'X',
];

const PATHS = [
  '/v1/mirror',
  '/v1/mirror/a',
  '/v1/titles',
  '/v1/shelves/1/books/2',
  '/v1/books/a/b:find',
  '/v1/watch',
  '/v1/collect',
  '/v1/chat',
  '/v1/files/a/b',
  '/v1/store',
  '/v1/tail/a',
  '/v1/append/a',
  '/v1/own',
  '/v1/own/x',
  '/v1/proto/x',
  '/v1/a/b/end',
  '/v1/x:a:b',
  '/v1/a/and/b',
  '/v1/extended',
  '/test.gateway.v1.Shelf/Unannotated',
  '/healthz',
  '/readyz',
  '/docs/',
  '/docs/static/nope',
  '/',
  '*',
  'http://x/v1/mirror',
];

const SEGMENTS = [
  '',
  '.',
  '..',
  '%2F',
  '%2e%2e',
  '%',
  '%ff',
  '%00',
  '**',
  '{name}',
  ':',
  ':a',
  '::',
  'wish-fail',
  'wish-garbage',
  'wish-long',
  '__proto__',
  'constructor',
  '\u00e9',
  'x'.repeat(3_000),
];

const FIELDS = [
  'text',
  'an_int32',
  'anInt64',
  'a_bool',
  'a_double',
  'colour',
  'colours',
  'texts',
  'book.author.given_name',
  'book.author.teacher.teacher.teacher.family_name',
  'books.1.title',
  'counts',
  'counts.a',
  'timestamp',
  'duration',
  'mask',
  'any',
  'struct.a',
  'value',
  'list.id',
  'this',
  'that',
  'name',
  'constructor.keys',
  'constructor.inner.inner.name',
  '__proto__',
  '__proto__.x',
  'hasOwnProperty.a',
  'many.name',
  'toString',
  '',
  '.',
  'a..b',
];

const VALUES = [
  '',
  '1',
  '-1',
  '1e400',
  'NaN',
  'true',
  'COLOUR_RED',
  'x',
  '0x10',
  '9223372036854775808',
  '2021-02-30T00:00:00Z',
  'a,b.c',
  '{}',
  '[]',
  'null',
  'wish-fail',
  'wish-garbage',
  'wish-long',
  '\ud83d\ude00',
  'y'.repeat(2_000),
];

const HEADERS = [
  'Content-Type: application/json',
  'Content-Type: application/x-www-form-urlencoded',
  'Content-Type: multipart/form-data; boundary=x',
  'Content-Type: ;;',
  'Content-Type:',
  'Content-Encoding: gzip',
  'Content-Encoding: Identity',
  'Authorization: a',
  'Authorization: b',
  'Grpc-Metadata-Authorization: c',
  'Grpc-Metadata-Http2-Settings: x',
  'Grpc-Metadata-Te: trailers',
  'Grpc-Metadata-Connection: close',
  'Grpc-Metadata-Content-Length: 5',
  'Grpc-Metadata-Grpc-Timeout: 1m',
  'Grpc-Metadata-:path: /x',
  'Grpc-Metadata-__proto__: x',
  'Grpc-Metadata-constructor: x',
  'Grpc-Metadata-A-Bin: AAECAw==',
  'Grpc-Metadata-A-Bin: *',
  'Grpc-Metadata-A: \u00e9',
  'Grpc-Metadata-A: \t',
  'Grpc-Metadata-: x',
  'Grpc-Metadata-Age: 1',
  'Grpc-Timeout: 1m',
  'Grpc-Timeout: 0n',
  'Grpc-Timeout: 99999999H',
  'Grpc-Timeout: x',
  'TE: trailers',
  'Accept: text/event-stream',
  'Connection: close',
  'Connection: keep-alive, grpc-metadata-a',
  'Connection: upgrade',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAAQAAP__',
  'Expect: 100-continue',
  'Expect: x',
  'Host: y',
  'X-Forwarded-For: 1.2.3.4, \u0001',
  'X-HTTP-Method-Override: DELETE',
  'Origin: http://evil',
  'Cookie: a=b',
  'Range: bytes=0-',
  'If-None-Match: *',
  ' folded: x',
  'no colon',
  `X: ${'z'.repeat(20_000)}`,
];

const NAMES = [
  ...FIELDS.map((field) => field.split('.')[0]!),
  '@type',
  '[odd.v1.more]',
  'contentType',
  'data',
  'title',
  'isbn',
];

/** Of connections like any that a client might make, some of everything that it should not. */
export function hostileConnection(random: Random): HostileConnection {
  if (random(25) === 0) return greedy(random);
  const pipelined = random(20) === 0 ? 1 + random(300) : 1 + random(2);
  const requests = Array.from({ length: pipelined }, () => hostileRequest(random));
  let bytes: Buffer = Buffer.concat(requests);
  if (random(8) === 0) bytes = bytes.subarray(0, random(bytes.length + 1));
  if (random(8) === 0) bytes = mutated(bytes, random);
  return {
    pieces: inPieces(bytes, random),
    pauseMs: random(6) === 0 ? random(200) : 0,
    reads: random(6) !== 0,
    end: oneOf(['half-close', 'reset', 'linger'] as const, random),
  };
}

/** Asks for streams without an end behind a call that is slow, and leaves in some way. */
function greedy(random: Random): HostileConnection {
  const ask = (path: string) => `GET ${path}?text=wish-long HTTP/1.1\r\nHost: x\r\n\r\n`;
  const asked = ask('/v1/mirror').repeat(random(2)) + ask('/v1/watch').repeat(1 + random(150));
  const end = oneOf(['half-close', 'reset', 'linger'] as const, random);
  // It leaves once it has been heard.
  return { pieces: [Buffer.from(asked), Buffer.from('\r\n')], pauseMs: 100, reads: random(2) === 0, end };
}

function hostileRequest(random: Random): Buffer {
  const method = oneOf(METHODS, random);
  const { framing, body } = bodyOf(method, random);
  const lines = [
    `${method} ${target(random)} HTTP/${random(40) === 0 ? oneOf(['1.0', '2.0', '1.2', 'x'], random) : '1.1'}`,
    ...(random(40) === 0 ? [] : ['Host: x']),
    ...Array.from({ length: random(5) }, () => oneOf(HEADERS, random)),
    ...(random(60) === 0 ? Array.from({ length: 300 }, (_, i) => `Grpc-Metadata-a${i}: x`) : []),
    ...framing,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]);
}

function target(random: Random): string {
  let path = oneOf(PATHS, random);
  for (let more = random(3); more > 0; more--) path += `/${oneOf(SEGMENTS, random)}`;
  if (random(8) === 0) path += oneOf(SEGMENTS, random);
  if (random(2) === 0) return path;
  const pairs = Array.from({ length: random(5) }, () => pair(random));
  return `${path}?${pairs.join('&')}`;
}

function pair(random: Random): string {
  if (random(30) === 0) return `book.author${'.teacher'.repeat(random(1_500))}.given_name=x`;
  const value = oneOf(VALUES, random);
  return `${oneOf(FIELDS, random)}=${random(10) === 0 ? oneOf(SEGMENTS, random) : encodeURIComponent(value)}`;
}

function bodyOf(method: string, random: Random): { framing: readonly string[]; body: Buffer } {
  if (random(method === 'GET' || method === 'HEAD' ? 6 : 1) !== 0)
    return { framing: [], body: Buffer.alloc(0) };
  const body = content(random);
  switch (random(12)) {
    case 0:
      return { framing: [`Content-Length: ${body.length + random(100)}`], body };
    case 1:
      return { framing: [`Content-Length: ${random(body.length + 1)}`], body };
    case 2:
      return {
        framing: [
          oneOf(
            ['Content-Length: x', 'Content-Length: -1', 'Transfer-Encoding: zip', 'Content-Length: 1, 2'],
            random,
          ),
        ],
        body,
      };
    case 3:
      return {
        framing: ['Transfer-Encoding: chunked', `Content-Length: ${body.length}`],
        body: chunked(body, 100, random),
      };
    case 4:
    case 5:
      return { framing: ['Transfer-Encoding: chunked'], body: chunked(body, 1, random) };
    case 6:
    case 7:
      return { framing: ['Transfer-Encoding: chunked'], body: chunked(body, 1_000, random) };
    default:
      return { framing: [`Content-Length: ${body.length}`], body };
  }
}

/** A body in chunks of up to so many bytes; sometimes without an end, or with chunks that are none. */
function chunked(body: Buffer, most: number, random: Random): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length && parts.length < 60_000; ) {
    const part = body.subarray(at, at + 1 + random(most));
    at += part.length;
    const extension = random(200) === 0 ? `;a=${'b'.repeat(random(100))}` : '';
    const size =
      random(2_000) === 0 ? oneOf(['-1', 'zz', 'ffffffffffffffff', ''], random) : part.length.toString(16);
    parts.push(Buffer.from(`${size}${extension}\r\n`), part, Buffer.from('\r\n'));
  }
  if (random(6) !== 0)
    parts.push(Buffer.from(random(6) === 0 ? '0\r\nGrpc-Metadata-A: x\r\n\r\n' : '0\r\n\r\n'));
  return Buffer.concat(parts);
}

function content(random: Random): Buffer {
  switch (random(10)) {
    case 0:
      return Buffer.from(Uint8Array.from({ length: random(500) }, () => random(256)));
    case 1: {
      const depth = 1 + random(oneOf([60, 300, 50_000], random));
      const [open, close] = oneOf(
        [
          ['[', ']'],
          ['{"a":', '}'],
          ['{"book":{"author":{"teacher":', '}}}'],
        ] as const,
        random,
      );
      const name = oneOf(['value', 'struct', 'list', 'book', 'nobody'], random);
      return Buffer.from(`{"${name}":${open.repeat(depth)}1${random(2) === 0 ? close.repeat(depth) : ''}}`);
    }
    case 2:
      return Buffer.from(`{"text":${JSON.stringify('x'.repeat(random(300_000)))}}`);
    case 3:
      // Of a stream: a message a line.
      return Buffer.from(Array.from({ length: random(50) }, () => json(random, 3)).join('\n'));
    case 4:
      return mutated(Buffer.from(json(random, 4)), random);
    default:
      return Buffer.from(json(random, 4));
  }
}

function json(random: Random, depth: number): string {
  if (depth === 0 || random(3) === 0) {
    const value = oneOf(VALUES, random);
    return oneOf(
      [JSON.stringify(value), 'null', 'true', '1', '-0', '1e999', '12345678901234567890', '"\\ud800"', '{}'],
      random,
    );
  }
  const inner = Array.from({ length: random(5) }, () => json(random, depth - 1));
  if (random(3) === 0) return `[${inner.join(',')}]`;
  return `{${inner.map((value) => `${JSON.stringify(oneOf(NAMES, random))}:${value}`).join(',')}}`;
}

function inPieces(bytes: Buffer, random: Random): readonly Buffer[] {
  if (random(3) !== 0) return [bytes];
  const pieces: Buffer[] = [];
  const most = 1 + random(oneOf([5, 200, 20_000], random));
  for (let at = 0; at < bytes.length; ) {
    // Not for ever: the rest in one.
    const length = pieces.length > 100 ? bytes.length : 1 + random(most);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

function mutated(bytes: Buffer, random: Random): Buffer {
  const changed = Buffer.from(bytes);
  for (let times = 1 + random(5); times > 0 && changed.length > 0; times--) {
    changed[random(changed.length)] = random(256);
  }
  return changed;
}

function oneOf<T>(values: readonly T[], random: Random): T {
  return values[random(values.length)]!;
}
