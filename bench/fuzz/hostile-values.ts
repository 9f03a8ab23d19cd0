import type { Random } from '../../src/base/random.js';

/** What an address may be made of: hosts and ports that are one, nearly one, and none. */
const HOSTS = [
  '127.0.0.1',
  'localhost',
  '[::1]',
  '[::1%lo]',
  '[::]',
  '0.0.0.0',
  '00.0.0.0',
  '[::ffff:0.0.0.0]',
  'unix',
  'dns',
  'ipv4',
  'xds',
  '',
  ' ',
  'a b',
  'a\u0000b',
  '\u001b[2J',
  '\u202e',
  '-',
  '.',
  '..',
  'a'.repeat(300),
  '*',
  'http://a',
  'a@b',
  'a,b',
  '[',
  ']',
  '[::1',
  '\ud800',
  '\u00fcber',
  '%00',
  "';--",
  '{',
  'undefined',
  '__proto__',
];
const PORTS = [
  '1',
  '80',
  '65535',
  '0',
  '65536',
  '99999',
  '-1',
  '1e3',
  '',
  ' 80',
  '80 ',
  '0x50',
  '８０',
  '00080',
  'NaN',
  '80/x',
];

const NAMES = [
  'zone',
  'weight',
  'authority',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'valueOf',
  '',
  'a'.repeat(1_000),
  '\u0000',
  '\u001b[31m',
  'then',
  'toJSON',
  'length',
  '0',
  '\ud800',
];

/** A value of a registry as nobody should write it, or nearly as one should. */
export function hostileValue(random: Random): Buffer {
  switch (random(8)) {
    case 0:
      return Buffer.from(Uint8Array.from({ length: random(64) }, () => random(256)));
    case 1:
      return Buffer.from(address(random));
    case 2:
      return mutated(Buffer.from(update(random)), random);
    case 3:
      return Buffer.from(update(random, deep(random)));
    case 4:
      return Buffer.from(update(random, JSON.stringify('x'.repeat(random(1_200_000)))));
    default:
      return Buffer.from(update(random));
  }
}

/** What follows the prefix in a key: mostly text, sometimes bytes that are none. */
export function hostileKey(random: Random): Buffer {
  if (random(10) === 0) return Buffer.from(Uint8Array.from({ length: 1 + random(20) }, () => random(256)));
  return Buffer.from(`${address(random)}#${random(200)}`);
}

function address(random: Random): string {
  return `${oneOf(HOSTS, random)}:${oneOf(PORTS, random)}`;
}

/** JSON in the form of `naming.Update`, more or less. */
function update(random: Random, metadata?: string): string {
  const addr = random(3) === 0 ? json(random, 2) : JSON.stringify(good(random));
  const op = oneOf(['0', '0', '0', '1', '-1', '"0"', 'null', '{}', '1e400'], random);
  const names = Array.from({ length: random(6) }, () => JSON.stringify(oneOf(NAMES, random)));
  const fields = names.map((name) => `${name}:${metadata ?? json(random, 3)}`);
  const rest = oneOf(
    ['', ',"extra":1', ',"Addr":"127.0.0.1:1"', ',"__proto__":{"Addr":"127.0.0.1:2"}'],
    random,
  );
  return `{"Op":${op},"Addr":${addr},"Metadata":{${fields.join(',')}}${rest}}`;
}

/** An address that can be dialled, as far as its form goes. */
function good(random: Random): string {
  return `127.0.0.${1 + random(250)}:${1 + random(65_535)}`;
}

const ATOMS = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '1',
  '-1',
  '1e308',
  '1e309',
  '5e-324',
  '1e-7',
  '0.5',
  '4294967296',
  '""',
  '"x"',
  '"1e308"',
  '"NaN"',
  '"\\u0000"',
  '"\\ud800"',
  '"\\u2028"',
  '"__proto__"',
  '[]',
  '{}',
];

function json(random: Random, depth: number): string {
  if (depth === 0 || random(2) === 0) return oneOf(ATOMS, random);
  const inner = Array.from({ length: random(4) }, () => json(random, depth - 1));
  if (random(2) === 0) return `[${inner.join(',')}]`;
  return `{${inner.map((value) => `${JSON.stringify(oneOf(NAMES, random))}:${value}`).join(',')}}`;
}

function deep(random: Random): string {
  const depth = 1 + random(oneOf([40, 5_000, 100_000], random));
  return random(2) === 0
    ? '['.repeat(depth) + ']'.repeat(depth)
    : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
}

/** The same with some bytes changed, cut out or doubled. */
function mutated(bytes: Buffer, random: Random): Buffer {
  let changed = bytes;
  for (let times = 1 + random(4); times > 0; times--) {
    const at = random(changed.length + 1);
    const [before, after] = [changed.subarray(0, at), changed.subarray(at)];
    const middle = [Buffer.of(random(256)), after.subarray(0, random(20)), Buffer.of()][random(3)]!;
    changed = Buffer.concat([before, middle, after.subarray(random(3))]);
  }
  return changed;
}

function oneOf<T>(values: readonly T[], random: Random): T {
  return values[random(values.length)]!;
}
