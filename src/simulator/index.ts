export { type Contender, compare } from './compare.js';
export type { DistributionSpec } from './distribution.js';
export { type Estimate, estimate } from './estimate.js';
export type { Plan } from './plan.js';
export { checkScenario, readPlan, readScenario, schemaPath } from './read-scenario.js';
export type { Recording, Window } from './recorder.js';
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
} from './scenario.js';
export { type RunResult, Simulation } from './simulation.js';
export { type HeldTarget, holdTargets, type Summary, summarize } from './summary.js';
