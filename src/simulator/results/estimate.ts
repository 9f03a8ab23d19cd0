/** The mean of what was measured with several seeds, and where the true mean is with 95 % confidence. */
export interface Estimate {
  readonly mean: number;
  /** From `mean - margin` to `mean + margin`. Absent with a single seed, which says nothing of it. */
  readonly margin?: number;
}

/** By Student's t distribution, for values that are about normal: independent runs are. */
export function estimate(values: readonly number[]): Estimate {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { mean };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  return { mean, margin: studentT(n - 1) * Math.sqrt(variance / n) };
}

/** The 97.5th percentiles of Student's t for 1 to 10 degrees of freedom (any table of it). */
const FEW = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
/** The same of the normal distribution. */
const Z = 1.959964;

/** For more, Cornish and Fisher's expansion (Abramowitz and Stegun, 26.7.5) is exact in three decimals. */
export function studentT(freedom: number): number {
  const few = FEW[freedom - 1];
  if (few !== undefined) return few;
  const z3 = Z ** 3;
  const z5 = Z ** 5;
  return Z + (z3 + Z) / (4 * freedom) + (5 * z5 + 16 * z3 + 3 * Z) / (96 * freedom ** 2);
}
