import { METHODS } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sendRaw, startGateway } from './support.js';

/** How many malformed requests there are in all, and how many are on their way at once. */
const REQUESTS = 10_000;
const AT_ONCE = 20;

const PATH = '/v1/titles';
const HEAD = 'Host: x\r\n';
/** A request for a method whose body is a list of strings. */
const put = (body: string, headers = '', target = PATH) =>
  Buffer.from(
    `PUT ${target} HTTP/1.1\r\n${HEAD}${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
const get = (target: string, headers = '') =>
  Buffer.from(`GET ${target} HTTP/1.1\r\n${HEAD}${headers}\r\n`, 'latin1');

function isTitles(body: string): boolean {
  if (body.trim() === '') return true;
  try {
    const json: unknown = JSON.parse(body);
    return json === null || (Array.isArray(json) && json.every((each) => typeof each === 'string'));
  } catch {
    return false;
  }
}

/** Percent-encoded bytes that are no UTF-8, or no percent-encoding. */
const notDecodable = fc.constantFrom(
  '%',
  '%2',
  '%zz',
  '%ff',
  '%c3',
  '%c3%28',
  '%e2%82',
  '%ed%a0%80',
  '%u0041',
);
const token = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const headerText = fc.stringMatching(/^[!-~]{1,20}$/);

const bodies = fc
  .oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.jsonValue().map((value) => JSON.stringify([value, 'x'])),
    fc.array(fc.string()).map((list) => JSON.stringify(list).slice(0, -1)),
    fc.nat(3_000).map((depth) => '['.repeat(depth + 2)),
    fc.nat(3_000).map((depth) => `${'['.repeat(depth + 2)}${']'.repeat(depth + 2)}`),
    fc.constantFrom(
      '{"__proto__":{}}',
      '{"constructor":1}',
      '\ufeff[]',
      '[1e999]',
      '["\\ud800"]',
      '[,]',
      "['a']",
    ),
  )
  .filter((body) => body === '["\\ud800"]' || !isTitles(body))
  .map((body) => put(body));

const notUtf8 = fc
  .uint8Array({ minLength: 1, maxLength: 20 })
  .map((bytes) => Buffer.concat([Buffer.from('["'), bytes, Buffer.from([0xc3, 0x28]), Buffer.from('"]')]))
  .map((body) =>
    Buffer.concat([
      Buffer.from(`PUT ${PATH} HTTP/1.1\r\n${HEAD}Content-Length: ${body.length}\r\n\r\n`),
      body,
    ]),
  );

const OWN = /^\/(?:v1|healthz|readyz|docs|openapi)/;
const paths = fc
  .oneof(
    fc.webPath(),
    fc.stringMatching(/^[!-~]{0,30}$/).map((text) => `/${text}`),
    fc
      .array(fc.oneof(token, notDecodable), { minLength: 1, maxLength: 5 })
      .map((parts) => `/${parts.join('/')}`),
    fc.string({ unit: 'binary', maxLength: 20 }).map((text) => `/x${text.replace(/[\r\n ]/g, '')}`),
    fc.tuple(token, notDecodable).map(([text, bad]) => `/v1/mirror/${text}${bad}`),
  )
  .filter((path) => path.includes('%') || !OWN.test(path))
  .filter((path) => !path.startsWith('/v1/mirror') || /%(?![0-7])/.test(path) || /%.?$/.test(path))
  .map((path) => get(path));

const queries = fc
  .oneof(
    fc.tuple(token, notDecodable).map(([name, bad]) => `${name}=${bad}`),
    fc.tuple(token, notDecodable).map(([name, bad]) => `${bad}=${name}`),
    fc
      .constantFrom('an_int32', 'aUint64', 'a_bool', 'a_double', 'timestamp', 'duration', 'book.isbn')
      .chain((name) =>
        headerText.map((text) => encodeURIComponent(`x${text}`)).map((value) => `${name}=${value}`),
      ),
    token.map((value) => `text=${value}&text=${value}`),
    fc.constantFrom('book=1', 'counts=1', 'struct=1', 'this=a&that=1', 'a_uint32=-1', 'an_int32=1e99'),
    fc.nat(300).map((depth) => `book.author${'.teacher'.repeat(depth + 120)}.given_name=x`),
  )
  .map((query) => get(`/v1/mirror?${query}`));

const headers = fc
  .oneof(
    headerText.map((text) => `Grpc-Timeout: x${text}\r\n`),
    fc.constantFrom(
      'Grpc-Timeout: 1\r\n',
      'Grpc-Timeout: S\r\n',
      'Grpc-Timeout: 999999999S\r\n',
      'Grpc-Timeout:\r\n',
    ),
    token.map((text) => `Grpc-Metadata-${text}!: x\r\n`),
    token.map((text) => `Grpc-Metadata-${text}: \u00e9\r\n`),
    token.map((text) => `Grpc-Metadata-${text}-bin: *\r\n`),
    headerText.map((text) => `(${text}: x\r\n`),
    headerText.map((text) => ` ${text}\r\n`).filter((line) => !line.includes(':')),
    fc
      .integer({ min: 1, max: 31 })
      .filter((n) => ![9, 10, 13].includes(n))
      .map((n) => `A: ${String.fromCharCode(n)}\r\n`),
    fc.nat(1_000).map((n) => `A: ${'x'.repeat(17_000 + n)}\r\n`),
    token.map((text) => `Expect: ${text}\r\n`),
    fc.constantFrom('Content-Length: x\r\n', 'Content-Length: 1, 2\r\n', 'Transfer-Encoding: zip, x\r\n'),
  )
  .map((text) => get('/v1/mirror', text));

const encodings = fc
  .constantFrom('gzip', 'br', 'zip')
  .map((name) => put('[]', `Content-Encoding: ${name}\r\n`));

const methods = fc
  .constantFrom(...METHODS.filter((method) => !['PUT', 'HEAD'].includes(method)))
  .map((method) => Buffer.from(`${method} ${PATH} HTTP/1.1\r\n${HEAD}\r\n`));

const garbage = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ minLength: 1 }).map((text) => Buffer.from(text)),
  fc.tuple(token, headerText).map(([a, b]) => Buffer.from(`${a} ${b} HTTP/1.1\r\n\r\n`)),
  token.map((text) => Buffer.from(`PUT ${PATH} HTTP/${text}\r\n${HEAD}\r\n`)),
  // Cut short: Node hears of the end, and of no request.
  fc.integer({ min: 1, max: 50 }).map((length) => put('["a"]').subarray(0, length)),
);

const malformed = fc.oneof(
  { weight: 3, arbitrary: bodies },
  { weight: 1, arbitrary: notUtf8 },
  { weight: 3, arbitrary: paths },
  { weight: 3, arbitrary: queries },
  { weight: 3, arbitrary: headers },
  { weight: 1, arbitrary: encodings },
  { weight: 1, arbitrary: methods },
  { weight: 2, arbitrary: garbage },
);

/** What is wrong with an answer; undefined for a 4xx with a JSON body. */
function wrongWith(answer: string): string | undefined {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  const status = /^HTTP\/1\.1 (\d+)/.exec(head)?.[1];
  if (status === undefined || !/^4(?!29)/.test(status)) return `status ${status}`;
  if (!/^content-type: application\/json\r?$/im.test(head)) return `no JSON: ${head}`;
  try {
    const { code, message, details } = JSON.parse(body) as Record<string, unknown>;
    const isError = typeof code === 'number' && typeof message === 'string' && Array.isArray(details);
    return isError ? undefined : `the body ${body}`;
  } catch {
    return `the body ${JSON.stringify(body)}`;
  }
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

describe('malformed requests', () => {
  it(`are answered with 4xx and JSON, all ${REQUESTS} of them, and leave nothing behind`, {
    timeout: 60_000,
  }, async () => {
    // As many may be open as there are at once: one that is not let go of would be seen as a 429.
    const { app, port } = await startGateway({ maxOpenRequests: AT_ONCE });
    const requests = fc.sample(malformed, { numRuns: REQUESTS, seed: 20_260_101 });
    const wrong: string[] = [];
    let heapBefore = 0;
    let next = 0;
    const send = async () => {
      for (let i = next++; i < requests.length; i = next++) {
        if (i === REQUESTS / 4) heapBefore = heapUsed();
        const bytes = requests[i]!;
        const reason = wrongWith(await sendRaw(port, bytes));
        if (reason !== undefined)
          wrong.push(`${JSON.stringify(bytes.toString('latin1').slice(0, 200))}: ${reason}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, send));
    expect(wrong.slice(0, 20)).toEqual([]);

    await expect
      .poll(() => new Promise((resolve) => app.server.getConnections((_, count) => resolve(count))))
      .toBe(0);
    expect(heapUsed() - heapBefore).toBeLessThan(4 * 1024 * 1024);
  });
});
