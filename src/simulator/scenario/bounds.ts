import type { ArrivalPlan } from './arrivals.js';
import type { Plan } from './plan.js';
import type { Scenario } from './scenario.js';
import { wrong } from './wrong.js';

/** A year. Above it, times lose the fractions of a millisecond that events are apart. */
const MOST_MS = 365 * 86_400_000;
/** Calls, or turns of what comes and goes by itself. A million of them take a second or two. */
const MOST = 1e9;

/**
 * That a run of the plan comes to an end while somebody waits for it.
 *
 * @throws BalancerError INVALID_OPTION, naming the field.
 */
export function checkBounds({ durationMs, arrivals, servers }: Plan): void {
  if (durationMs > MOST_MS)
    throw wrong('durationMs', `is ${durationMs}, and must be at most ${MOST_MS}, a year`);
  const calls = expectedCalls(arrivals, durationMs);
  if (calls > MOST) {
    throw wrong(
      'arrivals',
      `makes ${rough(calls)} calls in durationMs, ${durationMs}, and a run can have ${MOST}: make it shorter, or the calls fewer`,
    );
  }
  if (arrivals.kind === 'bursts') {
    refuseTurns('arrivals/burstMs', durationMs / (arrivals.burstMs + arrivals.calmMs));
  }
  const turns = servers.reduce(
    (sum, { antagonist }) => sum + durationMs / (antagonist?.everyMs ?? Infinity),
    0,
  );
  refuseTurns('servers/antagonist/everyMs', turns);
}

/**
 * That all that is in a scenario happens. A plan of less than the whole, as of its first second, may leave things out.
 *
 * @throws BalancerError INVALID_OPTION, naming the field.
 */
export function checkWhole({ durationMs, arrivals, timeline = [] }: Scenario): void {
  for (const [i, { atMs }] of timeline.entries()) refuseAfterEnd(`timeline/${i}/atMs`, atMs, durationMs);
  const steps = arrivals.kind === 'trace' ? [] : (arrivals.steps ?? []);
  for (const [i, { atMs }] of steps.entries()) refuseAfterEnd(`arrivals/steps/${i}/atMs`, atMs, durationMs);
}

function refuseAfterEnd(field: string, atMs: number, durationMs: number): void {
  if (atMs < durationMs) return;
  throw wrong(field, `is ${atMs}, and the run is over at durationMs, ${durationMs}: it would never happen`);
}

function refuseTurns(field: string, turns: number): void {
  if (turns <= MOST) return;
  throw wrong(
    field,
    `is so short that it comes and goes ${rough(turns)} times in a run, which can have ${MOST}`,
  );
}

function expectedCalls(arrivals: ArrivalPlan, durationMs: number): number {
  if (arrivals.kind === 'trace') {
    return arrivals.times.length * Math.ceil(durationMs / arrivals.repeatMs);
  }
  const { perMs, steps } = arrivals;
  let [calls, from, factor] = [0, 0, 1];
  for (const step of steps) {
    calls += (step.atMs - from) * perMs * factor;
    from = step.atMs;
    factor = step.factor;
  }
  return calls + (durationMs - from) * perMs * factor;
}

function rough(count: number): string {
  return count.toPrecision(2);
}
