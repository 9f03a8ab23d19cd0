import { expect, it } from 'vitest';
import { Balancer } from '../../../src/balancer/core/balancer.js';
import { roundRobin } from '../../../src/balancer/pickers/round-robin.js';
import { seededRandom } from '../../../src/base/random.js';
import { chiSquared, chiSquaredLimit } from '../../support/chi-squared.js';
import { endpoint } from '../../support/endpoints.js';

const ENDPOINTS = [1, 2, 3, 4].map((i) => endpoint(`id-${i}`, `h:${i}`));

/** The addresses that a balancer of its own connects, in order. */
function order(seed: number, preferred?: number): string[] {
  const asked: string[] = [];
  const random = seededRandom(seed);
  const balancer = new Balancer(
    {
      table: {
        maxConnecting: 64,
        connectTimeoutMs: 20_000,
        drainTimeoutMs: 30_000,
        reconnect: { baseMs: 250, maxMs: 15_000 },
        maxPending: () => Number.POSITIVE_INFINITY,
      },
      maxWaiting: 10,
      retryBudget: undefined,
      outlier: undefined,
      latencies: false,
    },
    roundRobin()({ random }),
    random,
    {
      connect: (row) => void asked.push(row.endpoint.address),
      renew() {},
      discard() {},
      cut() {},
      unansweredCalls: () => [],
      setTimer() {},
    },
  );
  balancer.applySnapshot(ENDPOINTS, 0, preferred);
  expect([...asked].sort()).toEqual(ENDPOINTS.map(({ address }) => address));
  return asked;
}

it('connects in no order: of processes that each make one call, each server gets its share', () => {
  const counts = [0, 0, 0, 0];
  for (let seed = 0; seed < 400; seed++)
    counts[ENDPOINTS.findIndex(({ address }) => address === order(seed)[0])]! += 1;
  expect(chiSquared(counts)).toBeLessThan(chiSquaredLimit(3));
});

it('connects what its registry prefers before the others', () => {
  for (let seed = 0; seed < 20; seed++)
    expect(new Set(order(seed, 2).slice(0, 2))).toEqual(new Set(['h:1', 'h:2']));
});
