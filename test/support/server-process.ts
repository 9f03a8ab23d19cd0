import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LeaseStore } from '../../src/registry/leases.js';
import { endWithUs } from './children.js';
import { performLease } from './ipc-leases.js';
import type { Ailment, CallReport, FromServer, ServerMainOptions, ToServer } from './server-protocol.js';

export interface ServerProcessOptions extends Omit<ServerMainOptions, 'address'> {
  /** Default `127.0.0.1:0`. */
  readonly address?: string;
  /** Holds the leases of a server with `announceTo: { kind: 'ipc' }`. */
  readonly leases?: LeaseStore;
  /** How long it may take to listen, in milliseconds. Default 20,000. */
  readonly startTimeoutMs?: number;
  /** Aborts while it starts: it is killed, and `start` rejects with the reason. */
  readonly signal?: AbortSignal;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The compiled program, whether this file runs from dist/ or, under vitest, from its source. */
const MAIN = fileURLToPath(
  new URL(
    import.meta.url.endsWith('.ts') ? '../../dist/test/support/server-main.js' : './server-main.js',
    import.meta.url,
  ),
);

/**
 * A real grpc-js server in a process of its own, with the Greeter and Echo services, ended by pid. It ends by itself
 * when its parent goes.
 */
export class ServerProcess {
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #reports = new Map<number, (report: CallReport) => void>();
  readonly #leases: LeaseStore | undefined;
  #heard: ((message: FromServer) => void) | undefined;
  #address = '';
  #stderr = '';
  #seq = 0;

  /** Resolves once it listens; rejects with what it said when it cannot. */
  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const { startTimeoutMs = 20_000, signal } = options;
    signal?.throwIfAborted();
    const server = new ServerProcess(options);
    const kill = () => server.signal('SIGKILL');
    signal?.addEventListener('abort', kill, { once: true });
    try {
      await server.#listening(startTimeoutMs);
      signal?.throwIfAborted();
    } catch (thrown) {
      throw signal?.aborted ? signal.reason : thrown;
    } finally {
      signal?.removeEventListener('abort', kill);
    }
    return server;
  }

  private constructor({
    leases,
    startTimeoutMs: _,
    signal: __,
    address = '127.0.0.1:0',
    ...options
  }: ServerProcessOptions) {
    this.#leases = leases;
    const main: ServerMainOptions = { address, ...options };
    this.#child = endWithUs(
      fork(MAIN, [JSON.stringify(main)], {
        // Out of the parent's process group: a Ctrl-C at the terminal is for the parent, which ends its servers itself.
        detached: true,
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        serialization: 'advanced',
      }),
    );
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4_000);
    });
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => resolve({ code, signal }));
      this.#child.once('error', (error) => {
        this.#stderr += error.message;
        if (this.#child.pid === undefined) resolve({ code: null, signal: null });
      });
    });
    this.#child.on('message', (message: FromServer) => this.#receive(message));
  }

  /** `host:port`, with the port that was bound. */
  get address(): string {
    return this.#address;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it wrote to standard error last. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Sends the signal and returns at once; nothing when it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal);
  }

  /** Sends the signal and waits until the process has ended. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    this.signal(signal);
    return this.exited;
  }

  /** What it has had so far. Rejects when it has ended. */
  async report(): Promise<CallReport> {
    const seq = this.#seq++;
    const report = new Promise<CallReport>((resolve) => this.#reports.set(seq, resolve));
    this.#send({ kind: 'report', seq });
    return Promise.race([
      report,
      this.exited.then(() => {
        throw new Error(`the server at ${this.#address} has ended`);
      }),
    ]);
  }

  /** What is wrong with it from now on. */
  ail(ailment: Ailment): void {
    this.#send({ kind: 'ail', ailment });
  }

  /** What its health service says from now on, with `health`. */
  serving(serving: boolean): void {
    this.#send({ kind: 'serving', serving });
  }

  /** Which certificate it shows from now on, with `tls`. */
  certificate(certificate: string, privateKey: string): void {
    this.#send({ kind: 'certificate', certificate, privateKey });
  }

  async #listening(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const said = await Promise.race([
      new Promise<FromServer>((resolve) => {
        this.#heard = resolve;
      }),
      this.exited.then((exit) =>
        failed(`it ended with ${exit.signal ?? `code ${exit.code}`}: ${this.#stderr.trim()}`),
      ),
      new Promise<FromServer>((resolve) => {
        timer = setTimeout(() => resolve(failed(`it did not listen within ${timeoutMs} ms`)), timeoutMs);
      }),
    ]);
    clearTimeout(timer);
    if (said.kind === 'listening') {
      this.#address = said.address;
      return;
    }
    await this.kill();
    throw new Error(
      `the server process could not be started: ${said.kind === 'failed' ? said.message : said.kind}`,
    );
  }

  #receive(message: FromServer): void {
    switch (message.kind) {
      case 'listening':
      case 'failed':
        this.#heard?.(message);
        return;
      case 'report':
        this.#reports.get(message.seq)?.(message.report);
        this.#reports.delete(message.seq);
        return;
      case 'lease':
        void performLease(this.#leases, message).then((answer) => this.#send(answer));
    }
  }

  #send(message: ToServer): void {
    // A process that dies meanwhile closes the channel under the message; `exited` tells of that.
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}

function failed(message: string): FromServer {
  return { kind: 'failed', message };
}
