/** A figure that must hold. The shape that all programs of this repository report. */
export interface Target {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly limit: number;
  readonly held: boolean;
}

/** One thing that was claimed, and what was seen. */
export interface Observation {
  readonly id: number;
  readonly claim: string;
  /** True when every target was measured and held. */
  readonly held: boolean;
  readonly figures: Readonly<Record<string, unknown>>;
  readonly targets: readonly Target[];
}

/** What was waited for did not happen: the observation is not held, and the demo goes on to the next. */
export class NotSeen extends Error {
  constructor(what: string, withinMs: number) {
    super(`not seen within ${withinMs / 1000} s: ${what}`);
  }
}

/** What one observation has found so far. */
export class Findings {
  readonly #figures: Record<string, unknown> = {};
  readonly #targets: Target[] = [];
  readonly #id: number;
  readonly #claim: string;

  constructor(id: number, claim: string) {
    this.#id = id;
    this.#claim = claim;
  }

  /** Something worth knowing that needs not be anything. Numbers are rounded to tenths. */
  figure(name: string, value: number | string | null | Readonly<Record<string, number>> | undefined): void {
    if (value !== undefined) this.#figures[name] = typeof value === 'number' ? round(value) : value;
  }

  atMost(limit: number, name: string, value: number, unit: string): void {
    this.#target({ name, value: round(value), unit, limit, held: value <= limit });
  }

  atLeast(limit: number, name: string, value: number, unit: string): void {
    this.#target({ name, value: round(value), unit, limit, held: value >= limit });
  }

  /** @param missing - why not everything could be measured. */
  conclude(missing?: Error): Observation {
    if (missing !== undefined) this.#figures.missing = missing.message;
    return {
      id: this.#id,
      claim: this.#claim,
      held: missing === undefined && this.#targets.length > 0 && this.#targets.every(({ held }) => held),
      figures: this.#figures,
      targets: this.#targets,
    };
  }

  #target(target: Target): void {
    this.#targets.push({ ...target, name: `observation-${this.#id}/${target.name}` });
    this.#figures[camelCase(target.name)] = target.value;
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
