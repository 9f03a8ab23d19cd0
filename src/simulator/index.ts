export { type Contender, compare } from './compare.js';
export { type Estimate, estimate } from './results/estimate.js';
export type { Recording, Window } from './results/recorder.js';
export { type HeldTarget, holdTargets, type Summary, summarize } from './results/summary.js';
export type { DistributionSpec } from './scenario/distribution.js';
export type { Plan } from './scenario/plan.js';
export { checkScenario, readPlan, readScenario, schemaPath } from './scenario/read-scenario.js';
export type {
  ArrivalsSpec,
  CallsSpec,
  DiscoverySpec,
  Metric,
  NetworkSpec,
  PoolSpec,
  Scenario,
  ServerGroupSpec,
  TargetSpec,
  TimelineSpec,
} from './scenario/scenario.js';
export { type RunResult, Simulation } from './simulation.js';
