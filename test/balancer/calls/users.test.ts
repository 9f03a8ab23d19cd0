// Users in one process, told apart by their async contexts alone: nobody is ever sent in another's name.
import { AsyncLocalStorage } from 'node:async_hooks';
import { CallCredentials, Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { Pool } from '../../../src/balancer/pool/pool.js';
import { request } from './drive.js';
import { answerAtEnd, failWith } from './raw-server.js';
import { poolOf, SOON, serve } from './repick.js';

const user = new AsyncLocalStorage<string>();

/** A token of whoever calls. */
const credentials = CallCredentials.createFromMetadataGenerator((_, callback) => {
  const metadata = new Metadata();
  metadata.set('authorization', user.getStore() ?? 'nobody');
  callback(null, metadata);
});

const WAYS: Record<string, (pool: Pool, name: string) => Promise<unknown>> = {
  'pool.stub': (pool, name) => pool.stub(EchoService).unary(request(name), { credentials }),
  'pool.client': (pool, name) =>
    new Promise((resolve) =>
      pool.client(EchoClient).unary(request(name), new Metadata(), { credentials }, resolve),
    ),
  'pick.as': async (pool, name) => {
    const pick = await pool.pick();
    return new Promise((resolve) =>
      pick.as(EchoClient).unary(request(name), new Metadata(), { credentials }, resolve),
    );
  },
};

describe.each(Object.entries(WAYS))('calls of many users by %s', (_, call) => {
  it.each([
    ['that wait for each other', { maxPendingPerEndpoint: 1 }, false],
    ['that are tried again', { retry: { maxAttempts: 5, backoff: { baseMs: 1, maxMs: 2 } } }, true],
  ])('%s are sent in their own names', async (_how, options, failing) => {
    if (failing && call === WAYS['pick.as']) return;
    const tokens: string[] = [];
    const servers = await Promise.all(
      [0, 1].map(() => {
        const seen = new Set<unknown>();
        return serve((raw) => {
          const token = raw.headers.authorization;
          if (failing && !seen.has(token)) {
            seen.add(token);
            failWith(14, 'not yet')(raw);
            return;
          }
          tokens.push(String(token));
          answerAtEnd(raw);
        });
      }),
    );
    const pool = await poolOf(servers, { ...options, retryBudget: { minPerSecond: 1_000 } });
    await expect.poll(() => pool.snapshot().ready, SOON).toBe(2);
    const names = Array.from({ length: 20 }, (_, n) => `user-${n}`);
    await Promise.all(names.map((name) => user.run(name, () => call(pool, name))));
    expect(tokens.sort()).toEqual([...names].sort());
  });
});
