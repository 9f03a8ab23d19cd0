// `etcd grpc-proxy`, which comes with every etcd: one more process between clients and members.
import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { endWithUs } from './children.js';
import { findProgram } from './debian.js';
import { freePorts } from './free-ports.js';

const START_MS = 15_000;

export class GrpcProxy implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = endWithUs(child);
  }

  /** @param target - the etcd that it passes calls on to. */
  static async start(binary: string, target: string): Promise<GrpcProxy> {
    const [port] = (await freePorts(1)) as [number];
    const address = `127.0.0.1:${port}`;
    const args = ['grpc-proxy', 'start', `--endpoints=${target}`, `--listen-addr=${address}`];
    // It calls itself there, and ends where it cannot.
    args.push(`--advertise-client-url=${address}`);
    // Where it can be said, the kernel ends it with us, however we end.
    const setpriv = findProgram('setpriv');
    const command = setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL'];
    const [file, ...rest] = [...command, binary, ...args] as [string, ...string[]];
    const proxy = new GrpcProxy(`http://127.0.0.1:${port}`, spawn(file, rest, { stdio: 'ignore' }));
    const until = performance.now() + START_MS;
    while (!(await listens(port))) {
      if (performance.now() > until) throw new Error(`etcd grpc-proxy did not start: ${args.join(' ')}`);
      await delay(20);
    }
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
