import { seededRandom } from '../../src/base/random.js';
import { median } from './statistics.js';

/** A ratio of medians over paired rounds, with a confidence interval of 95 %. */
export interface Ratio {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2_000;

/** Bootstrap by the percentile method, whole rounds drawn again, so that what was measured together stays together. */
export function ratioOfMedians(above: readonly number[], below: readonly number[]): Ratio {
  const random = seededRandom(1);
  const ratios: number[] = [];
  for (let i = 0; i < RESAMPLES; i++) {
    const drawn = above.map(() => random(above.length));
    ratios.push(median(drawn.map((at) => above[at]!)) / median(drawn.map((at) => below[at]!)));
  }
  ratios.sort((a, b) => a - b);
  return {
    ratio: median(above) / median(below),
    low: ratios[Math.floor(RESAMPLES * 0.025)]!,
    high: ratios[Math.floor(RESAMPLES * 0.975)]!,
  };
}
