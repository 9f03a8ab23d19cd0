import type { PickerFactory } from '../balancer/pickers/picker.js';
import { type Summary, summarize } from './results/summary.js';
import type { Plan } from './scenario/plan.js';
import { type RunResult, Simulation } from './simulation.js';
import { Watchdog } from './watchdog.js';

/** A million of rows are made within seconds; what is not after this, in milliseconds, never will be. */
const MADE_WITHIN_MS = 60_000;

/** A picker that is compared with others, and what it is called there. */
export interface Contender {
  readonly name: string;
  readonly factory: PickerFactory;
}

/**
 * Simulates every picker with every seed. With a seed, all pickers have the same calls at the same times.
 *
 * @param progress - hears now and then who is simulated, and how much of everything is done, from 0 to 1.
 * @throws BalancerError PICKER_FAILED, naming the picker.
 */
export function compare(
  plan: Plan,
  contenders: readonly Contender[],
  seeds: readonly number[],
  progress: (name: string, part: number) => void = () => {},
): Summary[] {
  const runs = contenders.length * seeds.length;
  let done = 0;
  return contenders.map(({ name, factory }) => {
    const results: RunResult[] = seeds.map((seed) => {
      const made = new Watchdog(`picker ${name}`, MADE_WITHIN_MS).run(
        () => new Simulation(plan, factory, seed),
      );
      const result = made.run((part) => progress(name, (done + part) / runs));
      progress(name, ++done / runs);
      return result;
    });
    return summarize(name, results);
  });
}
