/** Murmur3's finalizer (Austin Appleby): every bit of the result depends on every bit of `x`. */
export function mix32(x: number): number {
  let h = x;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A hash of a text's UTF-16 code units, 32 bits: FNV-1a, and {@link mix32}. The same in every process. */
export function hash32(text: string, seed = 0): number {
  let h = 0x811c9dc5 ^ mix32(seed);
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix32(h ^ text.length);
}

/** Steps of this, mixed, are as good as independent hashes of one key: 2^32 by the golden ratio, made odd. */
const STEP = 0x9e3779b1;

/** The nth hash of a key whose hash is `hash`. */
export function rehash(hash: number, n: number): number {
  return mix32(hash + Math.imul(n, STEP));
}
