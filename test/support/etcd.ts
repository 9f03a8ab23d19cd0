// Real etcds on free loopback ports, in temporary directories: for tests, examples and benchmarks.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endWithUs } from './children.js';
import { findProgram } from './debian.js';
import { ensureEtcd } from './ensure-etcd.js';
import { freePorts } from './free-ports.js';

export interface EtcdStartOptions {
  /** The path of the program. Default: {@link ensureEtcd}'s. */
  readonly binary?: string;
  /** More arguments, such as `--auth-token-ttl=2`. */
  readonly args?: readonly string[];
  /** `https` with the arguments that make it so. Default `http`. */
  readonly scheme?: 'http' | 'https';
  /** The port at which the other members reach one that listens at `port`: of what stands between. Default: the same. */
  readonly peerPort?: (index: number, port: number) => Promise<number>;
  /** Aborts while it starts: it is killed, and `start` rejects with the reason. */
  readonly signal?: AbortSignal;
}

/** How long a healthy etcd may take to answer, in milliseconds. */
const START_MS = 15_000;
const ATTEMPTS = 5;

/** One etcd on its own. */
export async function startEtcd(options: EtcdStartOptions = {}): Promise<EtcdProcess> {
  const [etcd] = await startCluster(1, options);
  return etcd as EtcdProcess;
}

/** The members of one cluster, all healthy. */
export async function startCluster(size: number, options: EtcdStartOptions = {}): Promise<EtcdProcess[]> {
  const binary = options.binary ?? (await ensureEtcd());
  const { peerPort = async (_, port) => port } = options;
  for (let attempt = 1; ; attempt++) {
    const ports = await freePorts(3 * size);
    const reached = await Promise.all(
      Array.from({ length: size }, (_, i) => peerPort(i, ports[3 * i + 1] as number)),
    );
    const peers = reached.map((port) => `http://127.0.0.1:${port}`);
    const members = peers.map((_, i) => new EtcdProcess(binary, i, ports, peers, options));
    try {
      await Promise.all(members.map((member) => member.start()));
      return members;
    } catch (error) {
      await Promise.all(members.map((member) => member.close()));
      // Somebody was quicker to take a port.
      if (attempt === ATTEMPTS || !String(error).includes('address already in use')) throw error;
    }
  }
}

/** One etcd process, its ports and its data, through stops and starts. */
export class EtcdProcess {
  readonly url: string;
  readonly port: number;
  readonly #binary: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'evenkeel-etcd-'));
  readonly #args: readonly string[];
  readonly #healthPort: number;
  #child: ChildProcess | undefined;
  #said = '';
  #started = false;
  #closed = false;
  readonly #signal: AbortSignal | undefined;
  readonly #cleanUp = () => {
    this.#child?.kill('SIGKILL');
    // A process that is being killed may be at its last write still.
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  };

  constructor(
    binary: string,
    index: number,
    ports: readonly number[],
    peers: readonly string[],
    options: EtcdStartOptions,
  ) {
    const [client, peer, health] = ports.slice(3 * index) as [number, number, number];
    this.#binary = binary;
    this.#signal = options.signal;
    this.#healthPort = health;
    this.port = client;
    this.url = `${options.scheme ?? 'http'}://127.0.0.1:${client}`;
    this.#args = [
      `--name=m${index}`,
      `--data-dir=${join(this.#directory, 'data')}`,
      `--listen-client-urls=${this.url}`,
      `--advertise-client-urls=${this.url}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=${peers[index]}`,
      `--initial-cluster=${peers.map((url, i) => `m${i}=${url}`).join(',')}`,
      `--initial-cluster-token=${ports[1]}`,
      `--listen-metrics-urls=http://127.0.0.1:${health}`,
      '--log-level=error',
      ...(options.args ?? []),
    ];
    process.on('exit', this.#cleanUp);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts, or starts again with the data that there is. Resolves when it answers linearizable reads. */
  async start(): Promise<void> {
    const until = performance.now() + START_MS;
    do {
      if (this.#closed) throw new Error('this etcd was closed');
      this.#spawn();
      while (performance.now() < until && this.#child !== undefined) {
        if (await this.#healthy()) return;
        await delay(20, undefined, { signal: this.#signal });
      }
      // Its ports may be in use for a moment still after it was killed.
    } while (performance.now() < until && this.#said.includes('address already in use') && this.#started);
    throw new Error(`etcd did not start: ${this.#said.trim().split('\n').slice(-3).join(' / ')}`);
  }

  /** Resolves when the process is gone. Its data stays. */
  async stop(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    // A process that stands still hears nothing but SIGKILL.
    if (signal !== 'SIGKILL') child.kill('SIGCONT');
    await gone;
  }

  /** Kills it and starts it again with its data. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Kills it and deletes its data. It starts empty, with the cluster id that it had. */
  async wipe(): Promise<void> {
    await this.stop();
    await rm(join(this.#directory, 'data'), { recursive: true, force: true });
  }

  /** Stands still, connections open (SIGSTOP). */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.stop();
    process.off('exit', this.#cleanUp);
    this.#cleanUp();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #spawn(): void {
    this.#said = '';
    // Where it can be said, the kernel ends it with us, however we end.
    const setpriv = findProgram('setpriv');
    const command = setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL'];
    const [file, ...args] = [...command, this.#binary, ...this.#args] as [string, ...string[]];
    const child = endWithUs(spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] }));
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-4_000);
    });
    child.once('error', (error) => {
      this.#said += error.message;
      if (this.#child === child) this.#child = undefined;
    });
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
  }

  async #healthy(): Promise<boolean> {
    const body = await new Promise<string>((resolve) => {
      const request = get(
        { port: this.#healthPort, path: '/health', timeout: 1_000, agent: false },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          answer.on('end', () => resolve(text)).on('error', () => resolve(''));
        },
      );
      request.on('timeout', () => request.destroy()).on('error', () => resolve(''));
    });
    if (!body.includes('"true"')) return false;
    this.#started = true;
    return true;
  }
}
