import { Metadata } from '@grpc/grpc-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refuseUnsendable, unsendable } from '../../../src/balancer/transport/sendable.js';

function metadata(entries: readonly (readonly [string, string | Buffer])[]): Metadata {
  const made = new Metadata();
  for (const [name, value] of entries) made.add(name, value);
  return made;
}

/** Metadata that grpc-js would not have made. */
function forged(name: string, ...values: unknown[]): Metadata {
  const made = new Metadata();
  (made as unknown as { internalRepr: Map<string, unknown[]> }).internalRepr.set(name, values);
  return made;
}

describe('metadata', () => {
  it.each([
    [[]],
    [
      [
        ['x-a', '1'],
        ['x-a', '2'],
        ['x-b-bin', Buffer.from([0, 255])],
      ],
    ],
    [
      [
        ['authorization', 'Bearer x'],
        ['user-agent', 'me'],
        ['grpc-accept-encoding', 'gzip'],
        ['x_y.z-9', ''],
      ],
    ],
    [[['x-big', '~'.repeat(60_000)]]],
  ] as [[string, string | Buffer][]][])('that can be sent is let through', (entries) => {
    expect(unsendable(metadata(entries))).toBeUndefined();
  });

  it.each([
    'connection',
    'upgrade',
    'http2-settings',
    'keep-alive',
    'proxy-connection',
    'transfer-encoding',
    'te',
  ])('that is a header of the connection is not: %s', (name) =>
    expect(unsendable(metadata([[name, 'x']]))).toMatch(`"${name}" is not metadata's to set`),
  );

  it.each([':path', ':status', ':x', 'content-length'])('that is the request’s own is not: %s', (name) => {
    expect(unsendable(metadata([[name, '1']]))).toMatch(`"${name}" is not metadata's to set`);
  });

  it.each(['authorization', 'user-agent', 'content-type', 'host', 'referer', 'date'])(
    'with two of %s is not',
    (name) => {
      const twice = metadata([
        [name, 'secret-1'],
        [name, 'secret-2'],
      ]);
      expect(unsendable(twice)).toBe(`"${name}" has 2 values`);
    },
  );

  it.each([
    ['x-a', 'a\nb'],
    ['x-a', 'a\0b'],
    ['x-a', 'é'],
    ['x-a', 7],
    ['x-a', undefined],
    ['x-a', Buffer.alloc(1)],
    ['x-a-bin', 'text'],
    ['X-A', 'a'],
    ['x a', 'a'],
    ['', 'a'],
    ['__proto__', 'a'],
  ])('that is no header at all is not: %j of %j', (name, value) => {
    expect(unsendable(forged(name, value))).toEqual(expect.any(String));
  });

  it('that is more than servers take is not', () => {
    expect(unsendable(metadata([['x-big', '~'.repeat(61_440)]]))).toMatch(/^it is 61477 bytes/);
    expect(unsendable(metadata([['x-big-bin', Buffer.alloc(46_080)]]))).toMatch(
      /bytes, and 61440 can be sent$/,
    );
    const many = Array.from({ length: 1_700 }, (_, n) => [`x-${n}`, ''] as const);
    expect(unsendable(metadata(many))).toMatch(/bytes/);
  });

  it('never says a value', () => {
    fc.assert(
      fc.property(fc.string(), fc.uuid(), (name, secret) => {
        const why = unsendable(forged(name, `${secret}\n`, secret));
        if (why !== undefined) expect(why).not.toContain(secret);
      }),
    );
  });
});

describe('a path or an authority', () => {
  it.each([
    { path: '/a/b\0x: y' },
    { path: '/a/b c' },
    { path: '/a/b\r\n' },
    { path: '/a/é' },
    { path: '/a/b', authority: 'a\nb' },
    { path: '/a/b', authority: 'a b' },
  ])('that is no header is refused: %j', (headers) => {
    expect(() => refuseUnsendable({ ...headers, metadata: new Metadata() })).toThrow(
      expect.objectContaining({ code: 'INVALID_METADATA' }),
    );
  });

  it('of printable ASCII is not', () => {
    refuseUnsendable({ path: '/a.B/C', authority: 'x.example:443', metadata: new Metadata() });
  });
});
