// Requests that are wrong in every way, at a gateway that serves innocent ones beside them.
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Random, seededRandom } from '../../src/base/random.js';
import { Load } from '../chaos/load.js';
import { Cleanups } from '../support/cleanups.js';
import type { Part, Run } from '../support/program.js';
import { Child } from './child.js';
import type { BackendReady, BackendReport, GatewayReady, GatewayReport } from './gateway-protocol.js';
import { type HostileConnection, hostileConnection } from './hostile-requests.js';
import { innocentCalls } from './innocent-calls.js';

const SECONDS = 60;
const AT_ONCE = 24;
const CALLS_PER_SECOND = 20;
/** How long a hostile connection stays that does nothing more: longer than the gateway is patient, now and then. */
const LINGER_MS = 500;
const SELDOM_MS = 8_000;
const SELDOM = 100;
/** By then, all that was open has been given up. */
const QUIET_MS = 12_000;
/** Of the heap of the gateway, once it has seen of everything. */
const HEAP_GROWTH = 1.25;

const NAME = 'gateway-requests';

export const gatewayRequests: Part = {
  name: NAME,
  targets: [
    'calls-failed',
    'unhandled',
    'unexpected',
    'servers-lost',
    'connections-left',
    'calls-left',
    'heap-growth',
  ].map((target) => `${NAME}/${target}`),
  async run(run) {
    await using cleanups = new Cleanups(run.signal);
    const fuzz = await GatewayFuzz.start(cleanups, run);
    await fuzz.attack(run.seconds ?? SECONDS);
    await fuzz.tell();
  },
};

class GatewayFuzz {
  readonly #seed = Date.now() % 2 ** 31;
  readonly #random: Random = seededRandom(this.#seed);
  #made = 0;
  #heapBefore = 0;
  #innocent: readonly Load[] = [];

  private constructor(
    private readonly run: Run,
    private readonly signal: AbortSignal,
    private readonly backend: Child<BackendReport>,
    private readonly gateway: Child<GatewayReport>,
    private readonly port: number,
  ) {}

  static async start(cleanups: Cleanups, run: Run): Promise<GatewayFuzz> {
    const { signal } = cleanups;
    const backend = await Child.start<BackendReady, BackendReport>('./gateway-backend.js', [], signal);
    cleanups.add(() => backend.child.kill());
    const { addresses } = backend.ready;
    const gateway = await Child.start<GatewayReady, GatewayReport>('./gateway-main.js', addresses, signal);
    cleanups.add(() => gateway.child.kill());
    const fuzz = new GatewayFuzz(run, signal, backend.child, gateway.child, gateway.ready.port);
    run.say(`  seed ${fuzz.#seed}`);
    return fuzz;
  }

  async attack(seconds: number): Promise<void> {
    const endAt = performance.now() + seconds * 1_000;
    const agent = new Agent({ keepAlive: true });
    this.#innocent = innocentCalls(this.port, agent, this.signal).map(
      (call) => new Load(CALLS_PER_SECOND, call),
    );
    const attacker = async () => {
      while (performance.now() < endAt && !this.signal.aborted)
        await this.#make(hostileConnection(this.#random));
    };
    const attackers = Array.from({ length: AT_ONCE }, attacker);
    try {
      await delay(seconds * 250, undefined, { signal: this.signal });
      this.#heapBefore = (await this.gateway.ask(this.signal)).heap;
    } finally {
      await Promise.all(attackers);
      await Promise.all(this.#innocent.map((load) => load.stop()));
      agent.destroy();
    }
  }

  async tell(): Promise<void> {
    await delay(QUIET_MS, undefined, { signal: this.signal });
    const { heap, connections, unhandled, unexpected, lost } = await this.gateway.ask(this.signal);
    const { open } = await this.backend.ask(this.signal);
    const { run } = this;
    const failed = this.#innocent.reduce((sum, load) => sum + load.failed, 0);
    const [failure] = this.#innocent.flatMap(({ firstFailure }) => firstFailure ?? []);
    if (failure !== undefined) run.say(`  the first call that failed: ${failure}`);
    for (const [first] of [unhandled, unexpected, lost]) if (first !== undefined) run.say(`  ${first}`);
    run.atMost(`${NAME}/calls-failed`, failed, 0, 'calls');
    run.atMost(`${NAME}/unhandled`, unhandled.length, 0, 'errors');
    run.atMost(`${NAME}/unexpected`, unexpected.length, 0, 'errors');
    run.atMost(`${NAME}/servers-lost`, lost.length, 0, 'events');
    run.atMost(`${NAME}/connections-left`, connections, 0, 'connections');
    run.atMost(`${NAME}/calls-left`, open, 0, 'calls');
    run.atMost(`${NAME}/heap-growth`, heap / this.#heapBefore, HEAP_GROWTH, 'times');
    run.say(`  heap ${(this.#heapBefore / 1e6).toFixed(1)} MB, then ${(heap / 1e6).toFixed(1)} MB`);
    const calls = this.#innocent.reduce((sum, { made }) => sum + made, 0);
    run.say(`  ${this.#made} hostile connections, ${calls} innocent calls`);
    run.record(NAME, { seed: this.#seed, connections: this.#made, calls });
  }

  /** Writes what a connection is to write, and ends it as it is to end. Resolves when it has ended. */
  #make({ pieces, pauseMs, reads, end }: HostileConnection): Promise<void> {
    this.#made++;
    const lingerMs = this.#random(SELDOM) === 0 ? SELDOM_MS : LINGER_MS;
    return new Promise((resolve) => {
      const socket = connect({ port: this.port, host: '127.0.0.1', allowHalfOpen: true });
      const gone = () => socket.destroy();
      const linger = setTimeout(gone, lingerMs);
      this.signal.addEventListener('abort', gone, { once: true });
      socket.on('error', () => {}).on('end', gone);
      socket.once('close', () => {
        clearTimeout(linger);
        this.signal.removeEventListener('abort', gone);
        resolve();
      });
      if (this.signal.aborted) gone();
      if (reads) socket.resume();
      socket.once('connect', async () => {
        for (const piece of pieces) {
          if (pauseMs > 0) await delay(pauseMs);
          if (socket.destroyed) return;
          socket.write(piece);
        }
        if (end === 'half-close') socket.end();
        else if (end === 'reset') socket.resetAndDestroy();
      });
    });
  }
}
