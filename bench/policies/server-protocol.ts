import type { Scenario } from '../../src/simulator/scenario/scenario.js';

/** What `server.ts` is told on its command line, as JSON: which of the scenario's servers it is. */
export interface PoliciesServerOptions {
  readonly scenario: Scenario;
  readonly server: number;
}

export type ToPoliciesServer =
  /** Time begins, and with it the timeline; nothing has come yet. */
  { readonly kind: 'begin'; readonly seed: number } | { readonly kind: 'report' };

export type FromPoliciesServer =
  | { readonly kind: 'listening'; readonly address: string }
  | { readonly kind: 'begun' }
  /** How many calls came since it began. */
  | { readonly kind: 'report'; readonly calls: number };
