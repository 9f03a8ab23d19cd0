// RFC 7541, appendix C: every example, decoded, and encoded where an encoder of ours would say it so.
import { describe, expect, it } from 'vitest';
import { BufferPool } from '../../../../../src/balancer/transport/http2/frames/buffer-pool.js';
import { Output } from '../../../../../src/balancer/transport/http2/frames/output.js';
import { Decoder } from '../../../../../src/balancer/transport/http2/hpack/decoder.js';
import { DynamicTable } from '../../../../../src/balancer/transport/http2/hpack/dynamic-table.js';
import { Encoder, RepeatedField } from '../../../../../src/balancer/transport/http2/hpack/encoder.js';
import {
  huffmanDecode,
  huffmanEncode,
  huffmanLength,
} from '../../../../../src/balancer/transport/http2/hpack/huffman.js';

type Field = [name: string, value: string];

const bytes = (hex: string) => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');

function decoded(decoder: Decoder, hex: string): Field[] {
  const block = bytes(hex);
  const { names, values } = decoder.decode(block, 0, block.length);
  return names.map((name, at) => [name, values[at]!]);
}

describe('C.1, integers', () => {
  // As the sizes of a table, which have a prefix of five bits, and as indexes.
  it('decodes 10 with a prefix of five bits', () => {
    const decoder = new Decoder(16_384);
    expect(decoded(decoder, '2a 82')).toEqual([[':method', 'GET']]);
  });

  it('decodes 1337 with a prefix of five bits', () => {
    const decoder = new Decoder(16_384);
    expect(decoded(decoder, '3f 9a 0a 82')).toEqual([[':method', 'GET']]);
    decoder.limitTable(1_336);
    expect(() => decoded(decoder, '3f 9a 0a')).toThrow('a table of 1337 bytes, and 1336 are allowed');
  });

  it('encodes 1337 with a prefix of five bits', () => {
    const output = new Output(new BufferPool());
    const encoder = new Encoder(output);
    encoder.limitTable(1_337);
    encoder.begin();
    expect(output.bytes.subarray(0, output.length)).toEqual(bytes('3f 9a 0a'));
  });

  it('decodes 42 from the start of a byte', () => {
    expect(() => decoded(new Decoder(16_384), 'ff 2b')).toThrow('no field has the index 170');
  });
});

describe('C.2, fields', () => {
  it.each<[string, string, Field]>([
    [
      'C.2.1, a literal with indexing',
      '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      ['custom-key', 'custom-header'],
    ],
    ['C.2.2, a literal without indexing', '040c 2f73 616d 706c 652f 7061 7468', [':path', '/sample/path']],
    [
      'C.2.3, a literal that is never indexed',
      '1008 7061 7373 776f 7264 0673 6563 7265 74',
      ['password', 'secret'],
    ],
    ['C.2.4, an index', '82', [':method', 'GET']],
  ])('%s', (_, hex, field) => {
    expect(decoded(new Decoder(16_384), hex)).toEqual([field]);
  });

  it('encodes C.2.2, C.2.3 and an index', () => {
    const output = new Output(new BufferPool());
    const encoder = new Encoder(output);
    encoder.plain(':path', '/sample/path');
    encoder.never('password', 'secret');
    encoder.repeated(new RepeatedField(':method', 'GET'));
    expect(output.bytes.subarray(0, output.length)).toEqual(
      bytes('040c 2f73 616d 706c 652f 7061 7468 1008 7061 7373 776f 7264 0673 6563 7265 74 82'),
    );
  });
});

const FIRST: Field[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'www.example.com'],
];
const SECOND: Field[] = [...FIRST, ['cache-control', 'no-cache']];
const THIRD: Field[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/index.html'],
  [':authority', 'www.example.com'],
  ['custom-key', 'custom-value'],
];
const WITH_HUFFMAN = [
  '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
  '8286 84be 5886 a8eb 1064 9cbf',
  '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
];

describe('C.3 and C.4, requests', () => {
  it.each([
    [
      'C.3, without Huffman coding',
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
    ],
    ['C.4, with it', WITH_HUFFMAN],
  ])('%s', (_, blocks) => {
    const decoder = new Decoder(16_384);
    expect(blocks.map((block) => decoded(decoder, block))).toEqual([FIRST, SECOND, THIRD]);
  });

  it('are encoded as in C.4', () => {
    const output = new Output(new BufferPool());
    const encoder = new Encoder(output);
    const known = new Map<string, RepeatedField>();
    const said = [FIRST, SECOND, THIRD].map((fields) => {
      encoder.begin();
      for (const [name, value] of fields) {
        const key = `${name}: ${value}`;
        const field = known.get(key) ?? new RepeatedField(name, value);
        known.set(key, field);
        encoder.repeated(field);
      }
      const { buffer, length } = output.take();
      return buffer.subarray(0, length);
    });
    expect(said).toEqual(WITH_HUFFMAN.map(bytes));
  });
});

const common = (date: string): Field[] => [
  ['cache-control', 'private'],
  ['date', `Mon, 21 Oct 2013 20:13:${date} GMT`],
  ['location', 'https://www.example.com'],
];
const RESPONSES: Field[][] = [
  [[':status', '302'], ...common('21')],
  [[':status', '307'], ...common('21')],
  [
    [':status', '200'],
    ...common('22'),
    ['content-encoding', 'gzip'],
    ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
  ],
];

describe('C.5 and C.6, responses to a decoder with a table of 256 bytes, which evicts', () => {
  it.each([
    [
      'C.5, without Huffman coding',
      [
        '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '4803 3330 37c1 c0bf',
        '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
      ],
    ],
    [
      'C.6, with it',
      [
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
        '4883 640e ffc1 c0bf',
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ],
    ],
  ])('%s', (_, blocks) => {
    const decoder = new Decoder(16_384);
    decoder.limitTable(256);
    expect(blocks.map((block) => decoded(decoder, block))).toEqual(RESPONSES);
  });

  it('evicts as the tables after C.5.1 to C.5.3 show', () => {
    const table = new DynamicTable(256);
    const seen = new Set<string>();
    const sizes = RESPONSES.map((fields) => {
      for (const [name, value] of fields) {
        const key = `${name}: ${value}`;
        if (!seen.has(key) && key !== ':status: 200') table.insert(name, value);
        seen.add(key);
      }
      return table.size;
    });
    expect(sizes).toEqual([222, 222, 215]);
    expect([0, 1, 2, 3].map((index) => table.at(index)?.[0])).toEqual([
      'set-cookie',
      'content-encoding',
      'date',
      undefined,
    ]);
  });
});

describe("Huffman's code", () => {
  // Some of each length, and the longest; each eight times over, so that it ends with a byte.
  it.each([
    ['0', 0x0, 5],
    [' ', 0x14, 6],
    ['&', 0xf8, 8],
    ['?', 0x3fc, 10],
    ['<', 0x7ffc, 15],
    ['\\', 0x7fff0, 19],
    ['\t', 0xffffea, 24],
    ['\0', 0x1ff8, 13],
    ['\n', 0x3ffffffc, 30],
    ['\xff', 0x3ffffee, 26],
  ])('has the code of appendix B for %j', (character, code, length) => {
    let bits = 0n;
    for (let i = 0; i < 8; i++) bits = (bits << BigInt(length)) | BigInt(code);
    const target = Buffer.alloc(huffmanLength(character.repeat(8)));
    expect(huffmanEncode(character.repeat(8), target, 0)).toBe(length);
    expect(BigInt(`0x${target.toString('hex')}`)).toBe(bits);
    expect(huffmanDecode(target, 0, length)).toBe(character.repeat(8));
  });

  it('is refused where it is padded with zeros, with more than seven bits, or ends a string within it', () => {
    // "0" is 00000.
    expect(huffmanDecode(bytes('07'), 0, 1)).toBe('0');
    expect(huffmanDecode(bytes('00'), 0, 1)).toBeUndefined();
    expect(huffmanDecode(bytes('07 ff'), 0, 2)).toBeUndefined();
    expect(huffmanDecode(bytes('ff ff ff ff'), 0, 4)).toBeUndefined();
    expect(huffmanDecode(bytes('3f ff ff ff ff'), 0, 5)).toBeUndefined();
  });
});
