import type { Metric, Scenario } from '../../src/simulator/scenario/scenario.js';
import { fromGallery } from '../simulator/experiments.js';

/** A scenario of the gallery, small and slow enough for real servers on one machine, and by what policies are ordered. */
export interface SmallScenario {
  readonly name: string;
  readonly scenario: Scenario;
  readonly metric: Metric;
  /** How far apart simulated and live success may lie, in points, where what is compared is the pool, not its pickers alone. */
  readonly within?: number;
}

const DURATION_MS = 12_000;

/** @param durationMs - of each policy; everything that happens is moved to its part of it. */
export function smallScenarios(durationMs = DURATION_MS): SmallScenario[] {
  return [
    { name: 'one-slow-server', metric: 'successRate', scenario: brief(slowServer(), durationMs) },
    { name: 'failing-fast', metric: 'successRate', scenario: brief(failingFast(), durationMs) },
    { name: 'weights', metric: 'meanMs', scenario: brief(weights(), durationMs) },
    {
      name: 'overload',
      metric: 'successRate',
      within: 2,
      scenario: brief(fromGallery('overload'), durationMs),
    },
  ];
}

function slowServer(): Scenario {
  return { ...fromGallery('one-slow-server'), arrivals: { kind: 'poisson', perSecond: 250 } };
}

function failingFast(): Scenario {
  return { ...fromGallery('failing-fast'), clients: 1, arrivals: { kind: 'poisson', perSecond: 250 } };
}

/**
 * Ten times as slow: a millisecond is a coarse timer's step, and ten servers share this machine's cores. With a timeout, or
 * what `pick_first` heaps up on one server of one core would take minutes to end.
 */
function weights(): Scenario {
  const whole = fromGallery('weights');
  const servers = whole.servers.map((group) => ({
    ...group,
    service: { kind: 'exponential', meanMs: 100 } as const,
  }));
  return { ...whole, servers, calls: { timeoutMs: 3_000 } };
}

function brief(scenario: Scenario, durationMs: number): Scenario {
  const factor = durationMs / scenario.durationMs;
  const timeline = (scenario.timeline ?? []).map((entry) => ({
    ...entry,
    atMs: entry.atMs * factor,
    ...('forMs' in entry && entry.forMs !== undefined && { forMs: entry.forMs * factor }),
  }));
  const { targets: _, ...rest } = scenario;
  return { ...rest, durationMs, warmUpMs: (scenario.warmUpMs ?? 0) * factor, timeline };
}
