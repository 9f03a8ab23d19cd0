import type { Random } from '../../base/random.js';

/** How long something takes: draws milliseconds. */
export interface Distribution {
  /** Of many draws; `Infinity` for a Pareto distribution so heavy that it has none. */
  readonly meanMs: number;
  draw(random: Random): number;
}

/** A {@link Distribution} as a scenario file says it; a number is a constant. */
export type DistributionSpec =
  | number
  | { readonly kind: 'constant'; readonly ms: number }
  | { readonly kind: 'uniform'; readonly minMs: number; readonly maxMs: number }
  | { readonly kind: 'exponential'; readonly meanMs: number }
  | { readonly kind: 'lognormal'; readonly medianMs: number; readonly sdMs: number }
  | { readonly kind: 'pareto'; readonly minMs: number; readonly shape: number }
  | { readonly kind: 'empirical'; readonly file: string; readonly msPerUnit?: number };

/** Half of what an exact product of {@link Random} holds, twice: 42 bits. */
const HALF = 2 ** 21;

/** A number between 0 and 1, neither of them. */
export function unit(random: Random): number {
  return (random(HALF) * HALF + random(HALF) + 0.5) / (HALF * HALF);
}

/** Exponential with mean 1. */
export function exponential(random: Random): number {
  return -Math.log(unit(random));
}

/** Standard normal, by Box and Muller (1958), one of the pair. */
export function normal(random: Random): number {
  return Math.sqrt(2 * exponential(random)) * Math.cos(2 * Math.PI * unit(random));
}

/**
 * @param samples - the numbers in a trace file, as it is named in the spec.
 */
export function distribution(spec: DistributionSpec, samples: (file: string) => Float64Array): Distribution {
  if (typeof spec === 'number') return constant(spec);
  switch (spec.kind) {
    case 'constant':
      return constant(spec.ms);
    case 'uniform': {
      const { minMs, maxMs } = spec;
      return { meanMs: (minMs + maxMs) / 2, draw: (random) => minMs + (maxMs - minMs) * unit(random) };
    }
    case 'exponential': {
      const { meanMs } = spec;
      return { meanMs, draw: (random) => meanMs * exponential(random) };
    }
    case 'lognormal':
      return lognormal(spec.medianMs, spec.sdMs);
    case 'pareto': {
      const { minMs, shape } = spec;
      return {
        meanMs: shape > 1 ? (shape * minMs) / (shape - 1) : Number.POSITIVE_INFINITY,
        draw: (random) => minMs / unit(random) ** (1 / shape),
      };
    }
    case 'empirical':
      return empirical(samples(spec.file), spec.msPerUnit ?? 1);
  }
}

function constant(ms: number): Distribution {
  return { meanMs: ms, draw: () => ms };
}

/**
 * e^(mu + sigma z). With median m = e^mu, the variance is m^2 x (x - 1) where x = e^(sigma^2); solved for x it gives
 * sigma from the standard deviation.
 */
function lognormal(medianMs: number, sdMs: number): Distribution {
  const x = (1 + Math.sqrt(1 + 4 * (sdMs / medianMs) ** 2)) / 2;
  const sigma = Math.sqrt(Math.log(x));
  return { meanMs: medianMs * Math.sqrt(x), draw: (random) => medianMs * Math.exp(sigma * normal(random)) };
}

/** Draws what was measured, each as likely as it was there often. */
function empirical(samples: Float64Array, msPerUnit: number): Distribution {
  let sum = 0;
  for (const sample of samples) sum += sample;
  return {
    meanMs: (sum / samples.length) * msPerUnit,
    draw: (random) => samples[random(samples.length)]! * msPerUnit,
  };
}
