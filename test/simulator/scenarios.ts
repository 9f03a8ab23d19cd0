import { type PickerName, pickerFactory } from '../../src/balancer/pickers/index.js';
import { planOf } from '../../src/simulator/scenario/plan.js';
import type { Scenario } from '../../src/simulator/scenario/scenario.js';
import { type RunResult, Simulation } from '../../src/simulator/simulation.js';

/** A small scenario, with whatever a test needs over it. */
export function scenario(over: Partial<Scenario> = {}): Scenario {
  return {
    name: 'test',
    durationMs: 10_000,
    arrivals: { kind: 'poisson', perSecond: 100 },
    servers: [{ name: 'server', count: 4, service: 10 }],
    ...over,
  };
}

/** A simulation of a scenario without files. */
export function simulation(of: Scenario, picker: PickerName = 'round-robin', seed = 1): Simulation {
  const noFiles = (file: string): Float64Array => {
    throw new Error(`the test has no file ${file}`);
  };
  return new Simulation(planOf(of, noFiles), pickerFactory(picker), seed);
}

export function run(of: Scenario, picker: PickerName = 'round-robin', seed = 1): RunResult {
  return simulation(of, picker, seed).run();
}

export function successRate({ succeeded, calls, unfinished }: RunResult): number {
  return succeeded / (calls + unfinished);
}
