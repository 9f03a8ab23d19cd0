import type { Random } from '../../base/random.js';

/** A time to live is exceeded by a part of itself, and by so many milliseconds at most: clients are not to ask as one. */
const JITTER = 0.1;
const MAX_JITTER_MS = 500;

/** After a connection was lost, DNS is asked at once, but this long after the last time, in milliseconds. */
export const REFRESH_SPACING_MS = 500;
/** And not by all clients in the same moment. */
const REFRESH_JITTER_MS = 100;

/** A name that leads to many is asked for less often: so long for each question, in milliseconds. 100 a second, then. */
const MS_A_QUESTION = 10;

export interface Intervals {
  readonly intervalMs: number;
  readonly minIntervalMs: number;
  readonly maxIntervalMs: number;
}

/** How long an answer is believed, in milliseconds: its time to live where one was told, within bounds. */
export function goodForMs(
  { ttlSeconds, questions }: { readonly ttlSeconds: number | undefined; readonly questions: number },
  { intervalMs, minIntervalMs, maxIntervalMs }: Intervals,
  random: Random,
): number {
  const told = ttlSeconds === undefined ? intervalMs : ttlSeconds * 1_000;
  const ms = Math.min(Math.max(told, minIntervalMs, questions * MS_A_QUESTION), maxIntervalMs);
  return ms + random(Math.floor(Math.min(ms * JITTER, MAX_JITTER_MS)) + 1);
}

/** How long to wait before asking again, for what was asked `sinceMs` ago and took so many questions. */
export function refreshInMs(sinceMs: number, questions: number, random: Random): number {
  const spacing = Math.max(REFRESH_SPACING_MS, questions * MS_A_QUESTION);
  return Math.max(0, spacing - sinceMs) + random(REFRESH_JITTER_MS);
}
