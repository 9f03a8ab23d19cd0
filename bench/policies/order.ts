import type { Summary } from '../../src/simulator/results/summary.js';
import type { Metric } from '../../src/simulator/scenario/scenario.js';

/** Two policies that the simulator tells apart, and whether reality has them in the same order. */
export interface Pair {
  readonly better: string;
  readonly worse: string;
  readonly agreed: boolean;
}

/** So many times as bad is clearly worse: a run of a few seconds on a shared machine cannot tell less. */
const CLEARLY = 1.5;

/**
 * Every pair of policies of which the simulator says that one is clearly worse. What is compared is what is lost: the share
 * of calls that fail, or the latency.
 *
 * @param simulated - and `real`: of the same policies in the same order.
 */
export function pairs(simulated: readonly Summary[], real: readonly Summary[], metric: Metric): Pair[] {
  const loss = ({ metrics }: Summary) =>
    metric === 'successRate' ? 1 - metrics[metric].mean : metrics[metric].mean;
  const margin = ({ metrics }: Summary) => metrics[metric].margin ?? 0;
  return simulated.flatMap((worse, w) =>
    simulated.flatMap((better, b): Pair[] => {
      if (loss(worse) - margin(worse) <= CLEARLY * (loss(better) + margin(better))) return [];
      return [{ better: better.picker, worse: worse.picker, agreed: loss(real[w]!) > loss(real[b]!) }];
    }),
  );
}
