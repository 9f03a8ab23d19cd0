/**
 * The length in bits of the code of each byte (RFC 7541, appendix B). The code is canonical, so that the codes themselves
 * follow: in order of length, and of the byte among those of one length.
 */
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];
/** The end of a string, of whose code only the beginning may stand, as padding. */
const EOS = 256;
const EOS_LENGTH = 30;

const NOTHING = -1;
const WRONG = -2;

interface Tables {
  readonly codes: Uint32Array;
  /** For each state and each four bits: the state after them. States are the inner nodes of the tree, 0 the root. */
  readonly next: Uint8Array;
  /** For the same: the byte that is whole with them, or NOTHING, or WRONG. The shortest code has five bits. */
  readonly emits: Int16Array;
  /** States in which a string may end: at the root, or up to seven ones from it. */
  readonly ends: Uint8Array;
}

let built: Tables | undefined;

/** Made when they are first asked for. */
function tables(): Tables {
  built ??= build();
  return built;
}

function build(): Tables {
  const lengths = [...LENGTHS, EOS_LENGTH];
  const inOrder = [...lengths.keys()].sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const codes = new Uint32Array(EOS + 1);
  let code = 0;
  let length = lengths[inOrder[0]!]!;
  for (const symbol of inOrder) {
    code <<= lengths[symbol]! - length;
    length = lengths[symbol]!;
    codes[symbol] = code++;
  }

  // Inner nodes have two children: another node, or a leaf as -1 - symbol.
  const nodes: [number, number][] = [[0, 0]];
  for (const symbol of inOrder) {
    let node = 0;
    for (let bit = lengths[symbol]! - 1; bit > 0; bit--) {
      const side = (codes[symbol]! >>> bit) & 1;
      if (nodes[node]![side] === 0) nodes[node]![side] = nodes.push([0, 0]) - 1;
      node = nodes[node]![side]!;
    }
    nodes[node]![codes[symbol]! & 1] = -1 - symbol;
  }

  const next = new Uint8Array(nodes.length * 16);
  const emits = new Int16Array(nodes.length * 16);
  for (let state = 0; state < nodes.length; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state;
      let emitted = NOTHING;
      for (let bit = 3; bit >= 0 && emitted !== WRONG; bit--) {
        const child = nodes[node]![(nibble >>> bit) & 1]!;
        if (child >= 0) node = child;
        else if (child === -1 - EOS) emitted = WRONG;
        else {
          emitted = -1 - child;
          node = 0;
        }
      }
      next[state * 16 + nibble] = node;
      emits[state * 16 + nibble] = emitted;
    }
  }

  const ends = new Uint8Array(nodes.length);
  for (let node = 0, ones = 0; ones < 8; ones++) {
    ends[node] = 1;
    node = nodes[node]![1]!;
  }
  return { codes, next, emits, ends };
}

/** How many bytes a text of one byte a character has when it is coded. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += LENGTHS[text.charCodeAt(i)]!;
  return (bits + 7) >>> 3;
}

/** Writes the coded text at `at`; there is room for {@link huffmanLength} bytes. Returns where it ends. */
export function huffmanEncode(text: string, target: Uint8Array, at: number): number {
  const { codes } = tables();
  let end = at;
  /** The byte that is being filled, and how many bits of it there are. */
  let byte = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    const code = codes[symbol]!;
    for (let left = LENGTHS[symbol]!; left > 0; ) {
      const taken = Math.min(left, 8 - bits);
      left -= taken;
      byte = (byte << taken) | ((code >>> left) & ((1 << taken) - 1));
      bits += taken;
      if (bits < 8) continue;
      target[end++] = byte;
      byte = 0;
      bits = 0;
    }
  }
  if (bits > 0) target[end++] = (byte << (8 - bits)) | ((1 << (8 - bits)) - 1);
  return end;
}

/** The text that is coded in `bytes`; undefined where it is not a code (RFC 7541, section 5.2). */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number): string | undefined {
  const { next, emits, ends } = tables();
  const decoded = Buffer.allocUnsafe(Math.floor(((end - start) * 8) / 5));
  let length = 0;
  let state = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    for (let half = 0; half < 2; half++) {
      const step = state * 16 + (half === 0 ? byte >>> 4 : byte & 15);
      const emitted = emits[step]!;
      if (emitted === WRONG) return undefined;
      if (emitted >= 0) decoded[length++] = emitted;
      state = next[step]!;
    }
  }
  return ends[state] === 1 ? decoded.toString('latin1', 0, length) : undefined;
}
