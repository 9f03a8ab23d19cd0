import type { Fault } from '../fault.js';
import { tokenExpired } from './auth.js';
import { blackHoled, killed, stopped } from './away.js';
import { churn } from './churn.js';
import { clusters } from './cluster.js';
import { cutBursts, cutPaging } from './cuts.js';
import { kubernetes } from './kubernetes.js';
import { quiet, quietBehindProxy } from './quiet.js';
import { registrations } from './registrations.js';
import { bigBurst, compacted } from './store.js';
import { wiped, wipedAndRefilled, wipedInCatchUp } from './wipes.js';

/** Every fault that is done, in this order. */
export const faults: readonly Fault[] = [
  killed(30),
  stopped(30),
  blackHoled(30),
  quiet,
  quietBehindProxy,
  killed(5),
  wipedAndRefilled,
  wiped,
  ...registrations,
  tokenExpired,
  wipedInCatchUp,
  compacted,
  cutPaging({ cuts: 20, size: 5_000 }),
  cutBursts({ cuts: 20, size: 5_000 }),
  bigBurst,
  ...clusters,
  churn({ size: 10_000, perSecond: 1_000, seconds: 60, controlSeconds: 15 }),
  ...kubernetes,
];
