/** A uniform integer in [0, n), for 1 <= n <= 2^32. Injected everywhere; seeded in tests and simulations. */
export type Random = (n: number) => number;

/**
 * An unbiased {@link Random} over a source of uniform 32-bit integers.
 *
 * Lemire's multiply-and-reject ("Fast random integer generation in an interval", ACM TOMACS 29(1), 2019) where the
 * product is exact in a double, and plain rejection of the incomplete last interval above that.
 */
export function uniform(next32: () => number): Random {
  // Literals: where there are several sources, the engine would look up named constants anew for each draw.
  return (n) => {
    // Up to here a 32-bit draw times n is exact in a double.
    if (n <= 2 ** 21) {
      let product = next32() * n;
      let low = product >>> 0;
      if (low < n) {
        const threshold = (2 ** 32 - n) % n;
        while (low < threshold) {
          product = next32() * n;
          low = product >>> 0;
        }
      }
      return (product - low) / 2 ** 32;
    }
    const limit = 2 ** 32 - (2 ** 32 % n);
    let x = next32();
    while (x >= limit) x = next32();
    return x % n;
  };
}

/** A copy in random order: Fisher and Yates's shuffle. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const all = [...items];
  for (let i = all.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all;
}

/**
 * A deterministic {@link Random}: sfc32 (Chris Doty-Humphrey, PractRand), seeded by splitmix-style mixing and
 * twelve rounds of warming up. Equal seeds give equal sequences on every platform.
 */
export function seededRandom(seed: number): Random {
  return uniform(sfc32(seed));
}

/** A {@link Random} seeded from the platform, one per pool or registrar. Not for secrets. */
export function systemRandom(): Random {
  return seededRandom(Math.floor(Math.random() * 2 ** 32));
}

function sfc32(seed: number): () => number {
  let mixed = seed >>> 0;
  const mix = () => {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    let z = mixed;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) | 0;
  };
  // In an array of integers, where the engine need not tell a small integer from any other value.
  const state = Int32Array.of(mix(), mix(), mix(), 1);
  const next = () => {
    const b = state[1]!;
    const c = state[2]!;
    const counter = state[3]!;
    const sum = (((state[0]! + b) | 0) + counter) | 0;
    state[0] = b ^ (b >>> 9);
    state[1] = c + (c << 3);
    state[2] = ((c << 21) | (c >>> 11)) + sum;
    state[3] = counter + 1;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  return next;
}
