import type { Part, Run } from '../support/program.js';
import { Stage } from './stage.js';

/** What a measured value must be. */
export interface Limit {
  readonly bound: 'at most' | 'at least';
  readonly limit: number;
  readonly unit: string;
}

export function atMost(limit: number, unit: string): Limit {
  return { bound: 'at most', limit, unit };
}

export function atLeast(limit: number, unit: string): Limit {
  return { bound: 'at least', limit, unit };
}

/** Values by name. Those that have a limit are targets; one that could not be measured is left out. */
export type Measured = Readonly<Record<string, number | undefined>>;

/** Something that goes wrong with the servers, or is done to them, under load; and what must be true of the calls. */
export interface Scenario {
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** How long it takes, or has its trouble, unless `--seconds` says otherwise. */
  readonly seconds: number;
  readonly limits: Readonly<Record<string, Limit>>;
  /** Does it, on servers that the stage ends, and measures what comes of it. */
  run(stage: Stage, seconds: number): Promise<Measured>;
}

/** A scenario as a part of the program. */
export function partOf(scenario: Scenario): Part {
  const { name, limits } = scenario;
  return {
    name,
    targets: Object.keys(limits).map((target) => `${name}/${target}`),
    async run(run) {
      run.say(`${name}: ${scenario.title}`);
      const seconds = run.seconds ?? scenario.seconds;
      await using stage = new Stage(name, run);
      tell(run, scenario, await scenario.run(stage, seconds), seconds);
    },
  };
}

function tell(run: Run, { name, limits }: Scenario, measured: Measured, seconds: number): void {
  for (const [target, { bound, limit, unit }] of Object.entries(limits)) {
    const value = measured[target];
    if (value === undefined) continue;
    const hold = bound === 'at most' ? run.atMost : run.atLeast;
    hold(`${name}/${target}`, value, limit, unit);
  }
  run.record(name, { seconds, ...measured });
}
