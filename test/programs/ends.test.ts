// A process ends when its work is done, whatever of ours nobody has closed: seen on processes that do just that.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { serverTls } from '../../bench/soak/tls.js';
import { endWithUs } from '../support/children.js';
import { type EtcdProcess, startEtcd } from '../support/etcd.js';
import { freePorts } from '../support/free-ports.js';
import { ServerProcess } from '../support/server-process.js';
import type { EndsOptions, Way } from './ends-main.js';

const MAIN = fileURLToPath(new URL('../../dist/test/programs/ends-main.js', import.meta.url));

let etcd: EtcdProcess;
let secureEtcd: EtcdProcess;
let server: ServerProcess;
let secureServer: ServerProcess;
beforeAll(async () => {
  etcd = await startEtcd();
  server = await ServerProcess.start({
    service: 'ends',
    announceTo: { kind: 'etcd', hosts: [etcd.url] },
    health: true,
  });
  const file = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}.pem`, import.meta.url));
  const args = [`--cert-file=${file('server')}`, `--key-file=${file('server-key')}`];
  secureEtcd = await startEtcd({ scheme: 'https', args });
  secureServer = await ServerProcess.start({
    service: 'ends',
    announceTo: { kind: 'nowhere' },
    address: 'localhost:0',
    tls: serverTls('server'),
    health: true,
  });
});
afterAll(async () => {
  await Promise.all([server?.kill(), secureServer?.kill(), etcd?.close(), secureEtcd?.close()]);
});

interface Run {
  readonly child: ChildProcess;
  /** What it has said, when it has ended, and its exit code. */
  readonly ended: Promise<{ readonly code: number | null; readonly said: string[] }>;
  /** Resolves with the first line that it says. */
  readonly spoke: Promise<string>;
}

function run(way: Way, address = server.address): Run {
  const options: EndsOptions = {
    way,
    address,
    etcd: etcd.url,
    secureAddress: secureServer.address,
    secureEtcd: `https://localhost:${secureEtcd.port}`,
  };
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = endWithUs(spawn(process.execPath, [MAIN, JSON.stringify(options)], { stdio: [...stdio] }));
  onTestFinished(() => void child.kill('SIGKILL'));
  let text = '';
  const spoke = new Promise<string>((resolve) => {
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (text.includes('\n')) resolve(text.split('\n')[0]!);
    });
  });
  const ended = new Promise<{ code: number | null; said: string[] }>((resolve) => {
    child.once('close', (code) => resolve({ code, said: text.split('\n').slice(0, -1) }));
  });
  return { child, ended, spoke };
}

const ENDING: readonly Way[] = [
  'after a call',
  'before any call',
  'ready, before any call',
  'while its server is not there',
  'over http2',
  'over http2, before any call',
  'over http2, while its server is not there',
  'health watched',
  'health watched, over http2',
  'several connections',
  'watching etcd',
  'watching etcd over TLS',
  'health watched over TLS',
  'while etcd is not there',
  'registered in memory',
  'a gateway that was closed',
];

describe('a process whose pool nobody closes', () => {
  it.each(ENDING)('ends: %s', async (way) => {
    expect(await run(way).ended).toEqual({ code: 0, said: ['done'] });
  });

  it('does not end while a call waits, though it has no deadline', async () => {
    const [port] = await freePorts(1);
    const address = `127.0.0.1:${port}`;
    const { ended, spoke } = run('a call that waits without a deadline', address);
    expect(await spoke).toBe('waiting');
    const late = await ServerProcess.start({ service: 'ends', announceTo: { kind: 'nowhere' }, address });
    onTestFinished(async () => void (await late.kill()));
    expect(await ended).toEqual({ code: 0, said: ['waiting', 'done'] });
  });

  it('is kept by `keepAlive` until the pool is closed', async () => {
    const { ended } = run('kept alive, until it is closed');
    expect(await ended).toEqual({ code: 0, said: ['done', 'still there'] });
  });
});
