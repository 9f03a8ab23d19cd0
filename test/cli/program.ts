import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../support/children.js';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

/** One run of the compiled `evenkeel` program. */
export class Program {
  /** The exit code; 128 + n of a signal. */
  readonly exited: Promise<number>;
  readonly child: ChildProcess;
  #stdout = '';
  #stderr = '';
  #heard: (() => void)[] = [];

  constructor(...args: readonly string[]) {
    this.child = endWithUs(spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }));
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#tell();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#tell();
    });
    this.exited = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        resolve(code ?? 128 + constants.signals[signal!]);
        this.#tell();
      });
    });
  }

  /** Whole lines of standard output. */
  get out(): string[] {
    return lines(this.#stdout);
  }

  /** Whole lines of standard error. */
  get err(): string[] {
    return lines(this.#stderr);
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Resolves once the program has said what is wanted; rejects when it ends without. */
  async until(what: string, said: (program: this) => boolean): Promise<void> {
    while (!said(this)) {
      if (!this.running) throw new Error(`ended without ${what}: ${this.#stdout}${this.#stderr}`);
      await new Promise<void>((resolve) => this.#heard.push(resolve));
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.child.kill(signal);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number> {
    this.signal(signal);
    return this.exited;
  }

  #tell(): void {
    for (const heard of this.#heard.splice(0)) heard();
  }
}

function lines(text: string): string[] {
  return text.split('\n').slice(0, -1);
}
