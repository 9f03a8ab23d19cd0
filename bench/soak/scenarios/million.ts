import { status } from '@grpc/grpc-js';
import type { Pool } from '../../../src/balancer/pool/pool.js';
import { gc, heapUsed } from '../../support/heap.js';
import { clientWays, stubWays, type Way } from '../calls.js';
import { Restarts, SERVERS } from '../restarts.js';
import { atMost, type Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';

const CALLS = 1_000_000;
/** What `--seconds` is held against: with half of them, half of the calls are made. */
const SECONDS = 300;
const CONCURRENCY = 128;
/** The heap is measured after each of so many parts, with no call under way. */
const PARTS = 10;
/** One call in 20 is cancelled within this time, one in 20 has a deadline before its answer; in milliseconds. */
const CANCELLED_WITHIN_MS = 5;
const DEADLINE_MS = 3;
const TOO_LATE_MS = 50;

/** How the ends of all calls are counted. */
class Tally {
  /** By call: how often it was told to have ended. */
  readonly ends: Uint8Array;
  cancelled = 0;
  late = 0;
  /** Failures that nobody asked for. */
  surprises = 0;
  firstSurprise: string | undefined;

  constructor(calls: number) {
    this.ends = new Uint8Array(calls);
  }

  ended(number: number, wanted: number, error: unknown): void {
    this.ends[number]!++;
    if (error === undefined) return;
    const { code, message } = error as { code?: number; message?: string };
    if (code === status.CANCELLED && wanted === status.CANCELLED) this.cancelled++;
    else if (code === status.DEADLINE_EXCEEDED && wanted === status.DEADLINE_EXCEEDED) this.late++;
    else {
      this.surprises++;
      this.firstSurprise ??= message;
    }
  }
}

function make(way: Way, number: number, tally: Tally): Promise<void> {
  return new Promise((resolve) => {
    const stop = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const wanted =
      number % 20 === 7 ? status.CANCELLED : number % 20 === 14 ? status.DEADLINE_EXCEEDED : status.OK;
    const ended = (error?: unknown) => {
      clearTimeout(timer);
      tally.ended(number, wanted, error);
      resolve();
    };
    if (wanted === status.CANCELLED) {
      timer = setTimeout(() => stop.abort(), number % CANCELLED_WITHIN_MS);
      way({ signal: stop.signal }, 0, ended);
    } else if (wanted === status.DEADLINE_EXCEEDED) {
      way({ timeoutMs: DEADLINE_MS }, TOO_LATE_MS, ended);
    } else {
      way({}, 0, ended);
    }
  });
}

/** Makes the calls from one number up to another, so many at once. */
async function makeAll(
  stage: Stage,
  pool: Pool,
  ways: readonly Way[],
  tally: Tally,
  from: number,
  until: number,
): Promise<void> {
  let next = from;
  const caller = async () => {
    while (next < until && !stage.signal.aborted) {
      const number = next++;
      if (number % 1_000 === 0) {
        stage.progress(
          `${number} of ${tally.ends.length} calls, ${pool.snapshot().waiting} waiting, ${tally.surprises} failed`,
        );
      }
      // Not by the same count as above: every way is cancelled, and late.
      await make(ways[Math.floor(number / 20 + number) % ways.length]!, number, tally);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
}

export const million: Scenario = {
  name: 'million',
  title:
    '1,000,000 calls of all kinds, by stub and by generated client, 5 % cancelled, 5 % late, servers restarting',
  seconds: SECONDS,
  limits: {
    'not-settled-once': atMost(0, 'calls'),
    'pending-in-the-end': atMost(0, 'calls'),
    'failed-otherwise': atMost(0, 'calls'),
    'heap-growth': atMost(5, '%'),
  },
  async run(stage, seconds) {
    const calls = Math.ceil((CALLS * seconds) / SECONDS);
    const etcd = await stage.etcd();
    const restarts = await Restarts.start(stage, etcd);
    const pool = await stage.pool(SERVERS, { registry: stage.registry(etcd) });
    const ways = [...Object.values(stubWays(pool)), ...Object.values(clientWays(pool))];
    const tally = new Tally(calls);
    const restarting = restarts.endless('SIGTERM');
    const beganAt = performance.now();
    const heaps: number[] = [];
    for (let part = 1; part <= PARTS; part++) {
      const from = Math.floor((calls * (part - 1)) / PARTS);
      await makeAll(stage, pool, ways, tally, from, Math.floor((calls * part) / PARTS));
      stage.signal.throwIfAborted();
      await gc();
      heaps.push(heapUsed());
    }
    const tookMs = performance.now() - beganAt;
    const restarted = await restarting.end();
    const { pending, waiting } = pool.snapshot();
    if (tally.firstSurprise !== undefined) stage.say(`the first that failed: ${tally.firstSurprise}`);
    const MiB = (bytes: number) => (bytes / 1_024 / 1_024).toFixed(2);
    stage.say(`heap after each tenth, MiB: ${heaps.map(MiB).join(' ')}`);
    return {
      calls,
      'calls-per-second': (1000 * calls) / tookMs,
      restarts: restarted.length,
      cancelled: tally.cancelled,
      late: tally.late,
      'not-settled-once': tally.ends.reduce((wrong, ends) => wrong + (ends === 1 ? 0 : 1), 0),
      'pending-in-the-end': pending + waiting,
      'failed-otherwise': tally.surprises,
      'heap-growth': 100 * (heaps.at(-1)! / heaps[0]! - 1),
    };
  },
};
