import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BufferPool } from '../../../../../src/balancer/transport/http2/frames/buffer-pool.js';
import { Output } from '../../../../../src/balancer/transport/http2/frames/output.js';
import { BlockCache } from '../../../../../src/balancer/transport/http2/hpack/block-cache.js';
import { Decoder, HpackError } from '../../../../../src/balancer/transport/http2/hpack/decoder.js';
import { Encoder, RepeatedField } from '../../../../../src/balancer/transport/http2/hpack/encoder.js';
import { Fields } from '../../../../../src/balancer/transport/http2/hpack/fields.js';
import {
  huffmanDecode,
  huffmanEncode,
  huffmanLength,
} from '../../../../../src/balancer/transport/http2/hpack/huffman.js';

const MAX_LIST = 16_384;

/** Any text of one byte a character. */
const latin1 = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const name = fc.oneof(
  fc.constantFrom(':path', ':status', 'content-type', 'te', 'x-trace', 'cookie'),
  latin1.map((text) => `n${text}`),
);
const field = fc.record({ name, value: latin1, kind: fc.constantFrom('repeated', 'plain', 'never') });
const block = fc.record({
  limit: fc.option(fc.integer({ min: 0, max: 5_000 }), { nil: undefined }),
  fields: fc.array(field, { maxLength: 12 }),
});

describe('an encoder and a decoder', () => {
  it('agree on any fields, while the table grows and shrinks', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 12 }), (blocks) => {
        const output = new Output(new BufferPool());
        const encoder = new Encoder(output);
        const decoder = new Decoder(Number.POSITIVE_INFINITY);
        const repeated = new Map<string, RepeatedField>();
        for (const { limit, fields } of blocks) {
          if (limit !== undefined) {
            encoder.limitTable(limit);
            decoder.limitTable(limit);
          }
          encoder.begin();
          for (const { name, value, kind } of fields) {
            const key = `${name}\n${value}`;
            const known = repeated.get(key) ?? new RepeatedField(name, value);
            repeated.set(key, known);
            if (kind === 'repeated') encoder.repeated(known);
            else if (kind === 'plain') encoder.plain(name, value);
            else encoder.never(name, value);
          }
          const { buffer, length } = output.take();
          const decoded = decoder.decode(buffer, 0, length);
          expect(decoded.names).toEqual(fields.map(({ name }) => name));
          expect(decoded.values).toEqual(fields.map(({ value }) => value));
        }
      }),
    );
  });
});

describe('a decoder', () => {
  it('does not keep a block that it has decoded', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const decoder = new Decoder(MAX_LIST);
    const decode = () => {
      const block = Buffer.from([0x88]);
      expect(decoder.decode(block, 0, block.length).get(':status')).toBe('200');
      return new WeakRef(block);
    };
    const block = decode();
    await new Promise(setImmediate);
    collect();
    expect(block.deref()).toBeUndefined();
    expect(decoder.stateless).toBe(false);
  });

  it('throws nothing but its own error, whatever it is given', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (blocks) => {
        const decoder = new Decoder(MAX_LIST);
        for (const block of blocks) {
          try {
            const { names, values } = decoder.decode(Buffer.from(block), 0, block.length);
            expect(names.length).toBe(values.length);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(HpackError);
            return;
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['a number without an end', 'ff'],
    ['a number of more than 28 bits', 'ff ff ff ff ff 7f'],
    ['zeros that go on for ever', `ff ${'80 '.repeat(20)}01`],
    ['a text that is longer than the block', '40 05 61'],
    ['a text that is longer than anything', '40 7f ff ff ff 7f 61'],
    ['a field without a name or a value', '40'],
    ['a field without a value', '40 01 61'],
    ['index 0', '80'],
    ['an index that nothing has', 'be'],
    ['a change of the table within a block', '82 20'],
    ['a larger table than is allowed', '3f e2 1f'],
  ])('refuses %s', (_, hex) => {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    expect(() => new Decoder(MAX_LIST).decode(bytes, 0, bytes.length)).toThrow(HpackError);
  });

  it('counts the fields over the limit, and drops them', () => {
    const decoder = new Decoder(100);
    const bytes = Buffer.concat([
      Buffer.from('82', 'hex'),
      Buffer.from([0, 1, 0x61, 40]),
      Buffer.alloc(40, 'v'),
      Buffer.from('83', 'hex'),
    ]);
    const fields = decoder.decode(bytes, 0, bytes.length);
    expect(fields).toMatchObject({ names: [':method'], values: ['GET'], size: 42 + 73 + 43, tooLarge: true });
  });

  it('insists that a table with entries is made smaller once its owner has said that it would be', () => {
    const entry = Buffer.from('40 01 61 01 62'.replaceAll(' ', ''), 'hex');
    const indexed = Buffer.from('be', 'hex');
    const shrunk = Buffer.from('20 82'.replaceAll(' ', ''), 'hex');
    const decoder = new Decoder(MAX_LIST);
    decoder.decode(entry, 0, entry.length);
    expect(decoder.decode(indexed, 0, 1).names).toEqual(['a']);
    decoder.limitTable(0);
    expect(decoder.stateless).toBe(false);
    expect(() => decoder.decode(indexed, 0, 1)).toThrow('the table was not made smaller');
    expect(decoder.decode(shrunk, 0, 2).names).toEqual([':method']);
    expect(decoder.stateless).toBe(true);
    expect(() => decoder.decode(indexed, 0, 1)).toThrow('no field has the index 62');
  });

  it('keeps nothing where the table has no room', () => {
    const entry = Buffer.from('40 01 61 01 62'.replaceAll(' ', ''), 'hex');
    const decoder = new Decoder(MAX_LIST);
    decoder.limitTable(0);
    expect(decoder.stateless).toBe(true);
    expect(decoder.decode(entry, 0, entry.length).names).toEqual(['a']);
    expect(() => decoder.decode(Buffer.from('be', 'hex'), 0, 1)).toThrow(HpackError);
  });
});

describe("Huffman's code", () => {
  it('gives back what was put in', () => {
    fc.assert(
      fc.property(latin1, (text) => {
        const target = Buffer.alloc(huffmanLength(text) + 1, 0xaa);
        const end = huffmanEncode(text, target, 0);
        expect(end).toBe(target.length - 1);
        expect(target[end]).toBe(0xaa);
        expect(huffmanDecode(target, 0, end)).toBe(text);
      }),
    );
  });

  it('decodes nothing that another text does not encode to', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = huffmanDecode(bytes, 0, bytes.length);
        if (text === undefined) return;
        const again = Buffer.alloc(huffmanLength(text));
        huffmanEncode(text, again, 0);
        expect(again).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a cache of blocks', () => {
  it('never gives the fields of other bytes', () => {
    const blocks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 4, max: 3 }), { maxLength: 200 });
    fc.assert(
      fc.property(blocks, (asked) => {
        const cache = new BlockCache();
        const fieldsOf = new Map<Fields, string>();
        for (const bytes of asked) {
          const known = cache.get(bytes, 0, bytes.length);
          if (known !== undefined) expect(fieldsOf.get(known)).toBe(bytes.join());
          const fields = new Fields();
          fieldsOf.set(fields, bytes.join());
          cache.put(bytes, 0, bytes.length, fields);
          expect(cache.get(bytes, 0, bytes.length)).toBe(fields);
        }
      }),
    );
  });

  it('does not remember long blocks, nor large fields', () => {
    const cache = new BlockCache();
    const long = Buffer.alloc(513);
    cache.put(long, 0, long.length, new Fields());
    expect(cache.get(long, 0, long.length)).toBeUndefined();
    const large = new Fields();
    large.add('n', 'v'.repeat(5_000), MAX_LIST);
    cache.put(long, 0, 4, large);
    expect(cache.get(long, 0, 4)).toBeUndefined();
  });
});
