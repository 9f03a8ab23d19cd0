import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../../test/support/children.js';

/** A process that says something once it is ready, and something each time it is asked. */
export class Child<Report> {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** @param main - the compiled module, beside this one. */
  static async start<Ready, Report>(
    main: string,
    args: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly child: Child<Report>; readonly ready: Ready }> {
    // Out of our process group: a Ctrl-C at the terminal is for us, and we end it.
    const options = { detached: true, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] } as const;
    const child = new Child<Report>(
      endWithUs(
        fork(fileURLToPath(new URL(main, import.meta.url)), [...args], {
          ...options,
          stdio: [...options.stdio],
        }),
      ),
    );
    try {
      return { child, ready: (await child.#said(signal)) as Ready };
    } catch (thrown) {
      await child.kill();
      throw thrown;
    }
  }

  async ask(signal: AbortSignal): Promise<Report> {
    const said = this.#said(signal);
    this.#process.send('report');
    return (await said) as Report;
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }

  /** What it says next. Rejects when it ends, or the signal aborts. */
  #said(signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#process.off('message', said).off('exit', ended);
        signal.removeEventListener('abort', aborted);
        act();
      };
      const said = (message: unknown) => settle(() => resolve(message));
      const ended = (code: number | null) => settle(() => reject(new Error(`a process ended with ${code}`)));
      const aborted = () => settle(() => reject(signal.reason));
      this.#process.once('message', said).once('exit', ended);
      signal.addEventListener('abort', aborted, { once: true });
    });
  }
}
