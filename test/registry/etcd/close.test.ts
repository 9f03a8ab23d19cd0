// After close() the process ends by itself: no timer, no socket and, where etcd answers, no key and no lease is left.
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type EtcdProcess, startEtcd } from '../../support/etcd.js';
import { Store } from './store.js';
import { until } from './until.js';

/** Compiled: what runs in a process of its own is not run by vitest. */
const PROGRAM = join(process.cwd(), 'dist/test/registry/etcd/close-child.js');

async function closes(hosts: string, ttl: number, ready: (said: string[]) => Promise<void>): Promise<void> {
  const child: ChildProcess = fork(PROGRAM, [hosts, String(ttl)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  try {
    const said: string[] = [];
    let errors = '';
    child.on('message', (message) => said.push(String(message)));
    child.stderr?.on('data', (text) => {
      errors += text;
    });
    let exitedAt: number | undefined;
    child.once('exit', () => {
      exitedAt = performance.now();
    });
    await ready(said);
    const toldAt = performance.now();
    child.send('close');
    await until('its end', () => exitedAt !== undefined, 5_000);
    const closed = said.find((line) => line.startsWith('all closed'));
    expect(Number(closed?.match(/\d+/)?.[0])).toBeLessThan(3_000);
    expect((exitedAt as number) - toldAt).toBeLessThan(3_500);
    expect(child.exitCode).toBe(0);
    expect(errors).toBe('');
    expect(said.filter((line) => line === 'closed')).toHaveLength(1);
  } finally {
    child.kill('SIGKILL');
  }
}

const live = (said: string[]) =>
  until('live', () => said.includes('registered') && said.filter((line) => line === 'snapshot').length === 2);

describe.concurrent('close()', () => {
  const withEtcd = (use: (etcd: EtcdProcess) => Promise<void>) => async () => {
    await using etcd = await startEtcd();
    await use(etcd);
  };

  it(
    'takes everything out of a live etcd',
    withEtcd(async (etcd) => {
      await closes(etcd.url, 30, live);
      const store = new Store(etcd.url);
      expect(await store.keys('s')).toEqual([]);
      expect((await store.etcd.leaseClient.leaseLeases()).leases).toEqual([]);
      store.close();
    }),
  );

  it(
    'gives up on an etcd that was killed',
    withEtcd((etcd) =>
      closes(etcd.url, 2, async (said) => {
        await live(said);
        await etcd.stop();
        await until('stale', () => said.includes('stale'));
      }),
    ),
  );

  it(
    'gives up on an etcd that stands still',
    withEtcd((etcd) =>
      closes(etcd.url, 2, async (said) => {
        await live(said);
        etcd.pause();
      }),
    ),
  );

  it(
    'gives up on an etcd that has stood still for long',
    withEtcd((etcd) =>
      closes(etcd.url, 2, async (said) => {
        await live(said);
        etcd.pause();
        await until('lost', () => said.includes('stale') && said.includes('lost'));
      }),
    ),
  );

  it('gives up on an etcd that never was', () =>
    closes('http://127.0.0.1:1', 2, (said) => until('stale', () => said.includes('stale'))));
});
