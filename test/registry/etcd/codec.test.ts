import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../../src/base/endpoint.js';
import {
  decodeKey,
  decodeValue,
  encodeValue,
  MOST_VALUE_BYTES,
  quote,
} from '../../../src/registry/etcd/codec.js';

const id = '/etcdv3_resolver/hello/localhost:50001';
const decode = (value: string | Uint8Array) =>
  decodeValue(id, typeof value === 'string' ? Buffer.from(value) : value);
const json = (value: unknown) => decode(JSON.stringify(value));
const endpoint = (more: Partial<Endpoint> = {}): Endpoint => ({
  id,
  address: 'localhost:50001',
  weight: 1,
  metadata: {},
  ...more,
});

describe('encodeValue', () => {
  it('is the bare address of an endpoint without attributes', () => {
    expect(encodeValue(endpoint())).toBe('localhost:50001');
    expect(encodeValue(endpoint({ address: '[::1]:50001' }))).toBe('[::1]:50001');
  });

  it("is the JSON of etcd's naming package otherwise", () => {
    const value = encodeValue(endpoint({ weight: 0.5, metadata: { zone: 'a' } }));
    expect(value).toBe('{"Op":0,"Addr":"localhost:50001","Metadata":{"zone":"a","weight":0.5}}');
    expect(encodeValue(endpoint({ metadata: { zone: 'a' } }))).toBe(
      '{"Op":0,"Addr":"localhost:50001","Metadata":{"zone":"a"}}',
    );
    expect(encodeValue(endpoint({ weight: 0 }))).toBe(
      '{"Op":0,"Addr":"localhost:50001","Metadata":{"weight":0}}',
    );
  });

  it('is in the form that is asked for, which either Go client reads', () => {
    const plain = endpoint();
    const zoned = endpoint({ metadata: { zone: 'a' } });
    expect(encodeValue(plain, 'naming')).toBe('{"Op":0,"Addr":"localhost:50001"}');
    expect(encodeValue(zoned, 'naming')).toBe(encodeValue(zoned, 'auto'));
    expect(encodeValue(plain, 'plain')).toBe('localhost:50001');
    expect(encodeValue(zoned, 'plain')).toBe('localhost:50001');
    expect(decode(encodeValue(plain, 'naming'))).toEqual({ endpoint: plain });
  });
});

describe('decodeValue', () => {
  const host = fc.constantFrom('localhost', '10.1.2.3', '[::1]', '[2001:db8::1]', 'a-b.example');
  const anyEndpoint = fc.record({
    id: fc.constant(id),
    address: fc.tuple(host, fc.integer({ min: 1, max: 65_535 })).map(([h, port]) => `${h}:${port}`),
    weight: fc.oneof(fc.constant(1), fc.double({ min: 1e-6, max: 2 ** 32 - 1, noNaN: true })),
    metadata: fc.dictionary(
      fc.string({ unit: 'grapheme' }).filter((key) => key !== 'weight'),
      fc.string({ unit: 'grapheme' }),
    ),
  });

  it('reads back whatever was encoded', () => {
    fc.assert(
      fc.property(anyEndpoint, (written) => {
        const { endpoint: read, complaint } = decode(encodeValue(written));
        expect(complaint).toBeUndefined();
        // -0 and 0 are one weight.
        expect(read).toEqual({ ...written, weight: written.weight + 0, metadata: { ...written.metadata } });
      }),
    );
  });

  it('never throws, and gives an endpoint or a complaint, whatever the bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
      fc.string().map((text) => Buffer.from(text)),
      fc
        .record({
          Op: fc.anything(),
          Addr: fc.oneof(fc.anything(), fc.constant('a:1')),
          Metadata: fc.anything(),
        })
        .map((value) => Buffer.from(fc.stringify(value))),
      fc
        .record({ Op: fc.constant(0), Addr: fc.constant('a:1'), Metadata: fc.jsonValue() })
        .map((value) => Buffer.from(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(bytes, (value) => {
        const { endpoint: read, complaint } = decode(value);
        if (read === undefined) {
          expect(complaint).toMatch(/^its /);
          return;
        }
        expect(read.weight).toBeGreaterThanOrEqual(0);
        expect(Object.values(read.metadata).every((text) => typeof text === 'string')).toBe(true);
      }),
    );
  });

  it('reads what Go programs write', () => {
    expect(decode('10.0.0.7:50051').endpoint).toEqual(endpoint({ address: '10.0.0.7:50051' }));
    expect(decode('{"Op":0,"Addr":"a:1","Metadata":null}').endpoint).toEqual(endpoint({ address: 'a:1' }));
    expect(decode('{"Addr":"a:1"}').endpoint).toEqual(endpoint({ address: 'a:1' }));
    expect(json({ Op: 0, Addr: 'a:1', Metadata: 'zone-a' }).endpoint).toEqual(endpoint({ address: 'a:1' }));
    expect(json({ Op: 0, Addr: 'a:1', Metadata: 5 }).endpoint).toEqual(endpoint({ address: 'a:1' }));
    expect(json({ Op: 0, Addr: 'a:1', Metadata: ['x'] }).endpoint).toEqual(endpoint({ address: 'a:1' }));
    expect(
      json({
        Addr: 'a:1',
        Metadata: { weight: 3, cores: 8, gpu: false, tags: ['x'], nothing: null, __proto__: 1 },
      }).endpoint,
    ).toEqual(endpoint({ address: 'a:1', weight: 3, metadata: { cores: '8', gpu: 'false', tags: '["x"]' } }));
  });

  it('keeps a metadata name that means something to JavaScript', () => {
    const { endpoint: read } = decode('{"Addr":"a:1","Metadata":{"__proto__":"x","constructor":"y"}}');
    expect(Object.entries(read?.metadata ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  it.each([
    [2, 2],
    ['2.5', 2.5],
    [' 3 ', 3],
    ['1e2', 100],
    [0, 0],
    [null, 1],
  ])('takes %j as weight %d', (weight, expected) => {
    const decoded = json({ Addr: 'a:1', Metadata: { weight } });
    expect(decoded).toEqual({ endpoint: endpoint({ address: 'a:1', weight: expected }) });
  });

  it.each([[-1], ['heavy'], [''], ['-0.5'], ['Infinity'], [true], [{}], [[]], ['NaN']])(
    'takes weight %j as 1, and complains',
    (weight) => {
      const decoded = json({ Addr: 'a:1', Metadata: { weight } });
      expect(decoded.endpoint).toEqual(endpoint({ address: 'a:1' }));
      expect(decoded.complaint).toBe(
        `its weight ${JSON.stringify(weight)} is not 0, nor a number from 1e-6 to 2^32 - 1; it counts as 1`,
      );
    },
  );

  it.each([
    ['', 'its value "" is not host:port'],
    ['localhost', 'its value "localhost" is not host:port'],
    ['localhost:0', 'its value "localhost:0" is not host:port'],
    ['localhost:99999', 'its value "localhost:99999" is not host:port'],
    ['localhost:50001\n', 'its value "localhost:50001\\n" is not host:port'],
    ['::1:50001', 'its value "::1:50001" is not host:port'],
    ['unix:/run/x', 'its value "unix:/run/x" is not host:port'],
    ['http://a:1', 'its value "http://a:1" is not host:port'],
    ['{"Op":0,"Addr":', 'its value "{\\"Op\\":0,\\"Addr\\":" is broken JSON'],
    ['["a:1"]', 'its value "[\\"a:1\\"]" is not host:port'],
    ['{"Op":1,"Addr":"a:1"}', 'its Op 1 is not 0'],
    ['{"Op":0}', 'its Addr undefined is not host:port'],
    ['{"Addr":"a:0"}', 'its Addr "a:0" is not host:port'],
    ['{"Addr":7}', 'its Addr 7 is not host:port'],
  ])('skips %j', (value, complaint) => {
    expect(decode(value)).toEqual({ complaint });
  });

  it.each([
    ['[::1%lo]:80', 'is not host:port'],
    ['unix:80', 'is not host:port'],
    ['dns:80', 'is not host:port'],
    ['ipv4:80', 'is not host:port'],
    ['00.0.0.0:80', 'is every address of a machine'],
    ['[::ffff:0.0.0.0]:80', 'is every address of a machine'],
    ['[::]:80', 'is every address of a machine'],
  ])('skips the address %s, bare or in JSON', (address, why) => {
    expect(decode(address)).toEqual({ complaint: `its value "${address}" ${why}` });
    expect(json({ Addr: address })).toEqual({ complaint: `its Addr "${address}" ${why}` });
  });

  it('leaves out metadata that is nested deep, and keeps the rest', () => {
    const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    for (const depth of [34, 5_000, 500_000]) {
      const value = `{"Addr":"a:1","Metadata":{"deep":${deep(depth)},"zone":"x","weight":2}}`;
      expect(decode(value)).toEqual({
        endpoint: endpoint({ address: 'a:1', weight: 2, metadata: { zone: 'x' } }),
        complaint: 'its metadata "deep" is nested deeper than 32, and left out',
      });
    }
    expect(decode(`{"Addr":"a:1","Metadata":{"list":${deep(32)}}}`).endpoint?.metadata).toEqual({
      list: deep(32),
    });
    const objects = `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`;
    expect(decode(`{"Op":${objects},"Addr":"a:1"}`)).toEqual({ complaint: 'its Op {...} is not 0' });
    expect(decode(`{"Addr":${objects}}`)).toEqual({ complaint: 'its Addr {...} is not host:port' });
    expect(decode(`{"Addr":"a:1","Metadata":{"weight":${objects}}}`).endpoint?.weight).toBe(1);
    expect(decode(`{"Addr":"a:1","Metadata":${objects}}`).endpoint?.metadata).toEqual({});
  });

  it.each([1e308, 2 ** 32, 1e-7, 5e-324])('takes weight %d as 1', (weight) => {
    const { endpoint: read, complaint } = json({ Addr: 'a:1', Metadata: { weight } });
    expect([read?.weight, complaint]).toEqual([1, expect.stringContaining('it counts as 1')]);
  });

  it('skips a value that is greater than any that announces an endpoint', () => {
    const fat = (bytes: number) => {
      const bare = JSON.stringify({ Addr: 'a:1', Metadata: { filler: '' } });
      return JSON.stringify({ Addr: 'a:1', Metadata: { filler: 'x'.repeat(bytes - bare.length) } });
    };
    expect(decode(fat(MOST_VALUE_BYTES)).complaint).toBeUndefined();
    expect(decode(fat(MOST_VALUE_BYTES + 1))).toEqual({
      complaint: 'its value has 1048577 bytes, and may have 1048576',
    });
  });

  it('skips what is not UTF-8', () => {
    expect(decode(Buffer.from([0x61, 0xff, 0x3a, 0x31]))).toEqual({ complaint: 'its value is not UTF-8' });
  });

  it('quotes no more than a line of a value', () => {
    expect(decode('x'.repeat(100_000)).complaint?.length).toBeLessThan(120);
  });
});

describe('decodeKey', () => {
  it('is the text of a key, and nothing for what is no text', () => {
    expect(decodeKey(Buffer.from('/a/ü'))).toBe('/a/ü');
    expect(decodeKey(Buffer.from([0x2f, 0xff]))).toBeUndefined();
  });
});

describe('quote', () => {
  it('is one line, without anything that a terminal obeys', () => {
    expect(quote('a\n\u001b[2J\u009b0m\u202e\u2028')).toBe('"a\\n\\u001b[2J\\x9b0m\\u202e\\u2028"');
    expect(quote('x'.repeat(81))).toBe(`"${'x'.repeat(80)}..."`);
    expect([quote(5), quote(undefined), quote(null), quote([]), quote([1]), quote({})]).toEqual([
      '5',
      'undefined',
      'null',
      '[]',
      '[...]',
      '{}',
    ]);
  });
});
