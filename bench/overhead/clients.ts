import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../../test/support/children.js';
import type { Order, Sample } from './measure.js';

/** What a client's process runs, and what it is told beside the addresses. */
interface ClientProgram<M> {
  readonly program: string;
  readonly argument: (name: M) => string;
}

const MODES: ClientProgram<string> = {
  program: fileURLToPath(new URL('./mode-client.js', import.meta.url)),
  argument: (mode) => mode,
};

/**
 * Every mode in a process of its own, as in a program that has one: what V8 learns of the ways of one, and the garbage
 * that it makes, does not weigh on the others.
 */
export class Clients<M extends string> {
  readonly #children: ReadonlyMap<M, ChildProcess>;

  private constructor(children: ReadonlyMap<M, ChildProcess>) {
    this.#children = children;
  }

  /** Started one after the other, and connected. They end with their parent, at `close`, or when the signal aborts. */
  static async start<M extends string>(
    modes: readonly M[],
    addresses: readonly string[],
    signal: AbortSignal,
    { program, argument }: ClientProgram<M> = MODES,
  ): Promise<Clients<M>> {
    const children = new Map<M, ChildProcess>();
    const clients = new Clients(children);
    try {
      for (const mode of modes) {
        const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const;
        const args = [argument(mode), JSON.stringify(addresses)];
        const child = endWithUs(fork(program, args, { stdio: [...stdio] }), signal);
        children.set(mode, child);
        await heard(mode, child);
      }
      return clients;
    } catch (thrown) {
      clients.close();
      throw thrown;
    }
  }

  /** One burst of calls by a mode, while the others are idle. */
  async run(mode: M, { calls, concurrency }: Order): Promise<Sample> {
    const child = this.#children.get(mode)!;
    const answer = heard(mode, child);
    child.send({ calls, concurrency } satisfies Order);
    return (await answer) as Sample;
  }

  close(): void {
    for (const child of this.#children.values()) child.kill('SIGKILL');
  }
}

/** The next message of a client; rejects when it ends instead. */
async function heard(mode: string, child: ChildProcess): Promise<unknown> {
  const stop = new AbortController();
  const { signal } = stop;
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`the client ${mode} ended with ${code}`);
  });
  ended.catch(() => {});
  try {
    const [message] = await Promise.race([once(child, 'message', { signal }), ended]);
    return message;
  } finally {
    stop.abort();
  }
}
