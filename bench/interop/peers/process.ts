import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from '../support/command.js';

/** How long a peer may take to listen, and to end once it was told to stop, in milliseconds. */
const START_MS = 20_000;
const STOP_MS = 15_000;

/** A peer that runs: with all the processes that it starts, it ends with this one. */
export class PeerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #kill = () => this.signal('SIGKILL');
  #said = '';

  constructor(
    { program, args, cwd, env }: Command,
    private readonly stopBy: NodeJS.Signals = 'SIGTERM',
  ) {
    // In a process group of its own: proxies are several processes.
    this.#child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#exited = once(this.#child, 'exit').catch(() => {});
    process.on('exit', this.#kill);
    this.#child.stdout?.resume();
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-2_000);
    });
  }

  /** The last line that it wrote to standard error. */
  get said(): string {
    return this.#said.trim().split('\n').at(-1) ?? '';
  }

  /** Where it listens, as it says it itself: `listening ADDRESS`. */
  async listening(signal: AbortSignal): Promise<string> {
    const lines = createInterface({ input: this.#child.stdout! });
    const line = await Promise.race([
      once(lines, 'line', { signal }).then(([said]) => said as string),
      this.#exited.then(() => {
        throw new Error(`it ended: ${this.said}`);
      }),
      delay(START_MS, undefined, { ref: false }).then(() => {
        throw new Error(`it did not listen within ${START_MS / 1_000} s`);
      }),
    ]);
    return line.replace(/^listening /, '');
  }

  /** Tells it to stop gracefully. */
  stop(): void {
    this.#child.kill(this.stopBy);
  }

  /** Resolves when it has ended; rejects when it takes too long. */
  async stopped(): Promise<void> {
    const late = delay(STOP_MS, 'late', { ref: false });
    if ((await Promise.race([this.#exited, late])) === 'late') {
      throw new Error(`it had not ended ${STOP_MS / 1_000} s after it was told to stop`);
    }
  }

  signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // All of them have ended.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal('SIGKILL');
    await this.#exited;
    process.off('exit', this.#kill);
  }
}
