import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Scenario } from '../../src/simulator/scenario/scenario.js';
import { endWithUs } from '../../test/support/children.js';
import type { FromPoliciesServer, PoliciesServerOptions, ToPoliciesServer } from './server-protocol.js';

const MAIN = fileURLToPath(new URL('./server.js', import.meta.url));

/** The servers of a scenario as real processes on loopback, each on a free port. */
export class Fleet {
  /** In the order of the scenario. */
  readonly addresses: readonly string[];
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[], addresses: readonly string[]) {
    this.#children = children;
    this.addresses = addresses;
  }

  static async start(scenario: Scenario, count: number, signal: AbortSignal): Promise<Fleet> {
    const children = Array.from({ length: count }, (_, server) => {
      const options: PoliciesServerOptions = { scenario, server };
      return endWithUs(
        fork(MAIN, [JSON.stringify(options)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }),
      );
    });
    try {
      const listening = await Promise.all(children.map((child) => heard(child, 'listening', signal)));
      return new Fleet(
        children,
        listening.map(({ address }) => address),
      );
    } catch (thrown) {
      for (const child of children) child.kill('SIGKILL');
      throw thrown;
    }
  }

  /** Lets the scenario begin, on all servers at once. */
  async begin(seed: number, signal: AbortSignal): Promise<void> {
    await this.#ask({ kind: 'begin', seed }, 'begun', signal);
  }

  /** How many calls each server has had since it began. */
  async calls(signal: AbortSignal): Promise<number[]> {
    return (await this.#ask({ kind: 'report' }, 'report', signal)).map(({ calls }) => calls);
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }

  #ask<K extends FromPoliciesServer['kind']>(
    message: ToPoliciesServer,
    kind: K,
    signal: AbortSignal,
  ): Promise<Extract<FromPoliciesServer, { kind: K }>[]> {
    return Promise.all(
      this.#children.map((child) => {
        const answer = heard(child, kind, signal);
        child.send(message);
        return answer;
      }),
    );
  }
}

/** The next message of a server; rejects when it ends instead. */
async function heard<K extends FromPoliciesServer['kind']>(
  child: ChildProcess,
  kind: K,
  signal: AbortSignal,
): Promise<Extract<FromPoliciesServer, { kind: K }>> {
  const stop = new AbortController();
  const ended = once(child, 'exit', { signal: stop.signal }).then(([code]) => {
    throw new Error(`a server process ended with ${code}`);
  });
  try {
    const [message] = (await Promise.race([once(child, 'message', { signal }), ended])) as [
      FromPoliciesServer,
    ];
    if (message.kind !== kind) throw new Error(`a server process said ${message.kind}, and not ${kind}`);
    return message as Extract<FromPoliciesServer, { kind: K }>;
  } finally {
    stop.abort();
    ended.catch(() => {});
  }
}
