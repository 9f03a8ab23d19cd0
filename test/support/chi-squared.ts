/** Pearson's statistic of counts against expectations; all equal where none are given. */
export function chiSquared(counts: readonly number[], expected?: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count, i) => {
    const due = expected?.[i] ?? total / counts.length;
    return sum + (count - due) ** 2 / due;
  }, 0);
}

/**
 * What a right sample stays below but for one in 10,000: the 0.9999 quantile of the chi-squared distribution (Wilson and
 * Hilferty, 1931: (X/k)^(1/3) is nearly normal with mean 1 - 2/(9k) and variance 2/(9k)).
 */
export function chiSquaredLimit(degreesOfFreedom: number): number {
  const spread = 2 / (9 * degreesOfFreedom);
  return degreesOfFreedom * (1 - spread + 3.719 * Math.sqrt(spread)) ** 3;
}
