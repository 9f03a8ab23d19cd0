// Backends that lie in every frame, in the same process as innocent calls to servers that do not.
import { EchoService } from '../../generated/evenkeel/echo/v1/echo.js';
import type { Pool } from '../../src/balancer/pool/pool.js';
import { seededRandom } from '../../src/base/random.js';
import { transportNamed } from '../../src/cli/transport.js';
import { staticRegistry } from '../../src/registry/static.js';
import { echoRequest } from '../soak/calls.js';
import { Stage } from '../soak/stage.js';
import { gc, heapByOwner } from '../support/heap.js';
import type { Part, Run } from '../support/program.js';
import { HostilePeer } from './hostile-peer.js';

const GOOD = 3;
const HOSTILE = 6;
const SECONDS = 60;
const AT_A_TIME = 24;
const CONNECT_TIMEOUT_MS = 1_000;
/** Of a call to who may lie. */
const TIMEOUT_MS = 1_000;
/** Of an innocent one: the others keep the process busy, and it is not their slowness that is looked for. */
const INNOCENT_TIMEOUT_MS = 10_000;
/** What a call may take beyond its time before it is taken for one that never ends. */
const PATIENCE_MS = 20_000;
const HEAP_GROWTH = 1.25;

interface Tally {
  made: number;
  failed: number;
  unsettled: number;
  firstFailure: string | undefined;
}

const newTally = (): Tally => ({ made: 0, failed: 0, unsettled: 0, firstFailure: undefined });

function framesOver(transport: 'grpc-js' | 'http2'): Part {
  const name = `backend-frames-${transport}`;
  return {
    name,
    targets: ['innocent-calls-failed', 'unsettled', 'unhandled', 'heap-growth'].map(
      (target) => `${name}/${target}`,
    ),
    async run(run) {
      await using stage = new Stage(name, run);
      const unhandled = countUnhandled(stage);
      const seed = Date.now() % 2 ** 31;
      stage.say(`seed ${seed}`);
      const random = seededRandom(seed);
      const servers = await stage.servers(GOOD);
      const good = servers.map(({ address }) => address);
      const behind = await stage.server();
      const peers: HostilePeer[] = [];
      for (let n = 0; n < HOSTILE; n++) {
        const peer = await HostilePeer.start(Number(behind.address.split(':').at(-1)), random);
        stage.atEnd(() => peer.close());
        peers.push(peer);
      }
      const options = {
        picker: 'random',
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        ...transportNamed(transport),
        // Ejected, the peers would have no more calls to lie to.
        outlierDetection: false,
      } as const;
      const innocent = await stage.pool(GOOD, { registry: staticRegistry(good), ...options });
      const all = [...good, ...peers.map(({ address }) => address)];
      const mixed = await stage.pool(GOOD, { registry: staticRegistry(all), ...options });
      const innocents = newTally();
      const others = newTally();
      const calls = (seconds: number) =>
        Promise.all([
          call(stage, innocent, INNOCENT_TIMEOUT_MS, innocents, seconds),
          call(stage, mixed, TIMEOUT_MS, others, seconds),
        ]);
      const seconds = run.seconds ?? SECONDS;
      await calls(seconds / 4);
      const before = await heap();
      await calls((seconds * 3) / 4);
      const after = await heap();
      tell(run, name, innocents, others);
      run.atMost(`${name}/unhandled`, unhandled(), 0, 'errors');
      run.atMost(`${name}/heap-growth`, after / before, HEAP_GROWTH, 'times');
      const connections = peers.reduce((sum, peer) => sum + peer.connections, 0);
      run.record(name, { seed, innocents, others, connections, heap: { before, after } });
    },
  };
}

export const backendFrames: readonly Part[] = [framesOver('grpc-js'), framesOver('http2')];

function countUnhandled(stage: Stage): () => number {
  let unhandled = 0;
  const hear = (error: unknown) => {
    unhandled++;
    stage.say(`nobody caught ${error instanceof Error ? error.stack : String(error)}`);
  };
  process.on('unhandledRejection', hear).on('uncaughtException', hear);
  stage.atEnd(() => process.off('unhandledRejection', hear).off('uncaughtException', hear));
  return () => unhandled;
}

/** So many at a time, unary calls and streams, each of which must end somehow. */
async function call(
  stage: Stage,
  pool: Pool,
  timeoutMs: number,
  tally: Tally,
  seconds: number,
): Promise<void> {
  const { signal } = stage;
  const echo = pool.stub(EchoService);
  const endAt = performance.now() + seconds * 1_000;
  const one = async (number: number) => {
    if (number % 4 !== 0) return echo.unary(echoRequest(), { timeoutMs });
    for await (const _ of echo.serverStream(echoRequest({ count: 3 }), { timeoutMs }));
  };
  const caller = async () => {
    while (performance.now() < endAt && !signal.aborted) {
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<'unsettled'>((resolve) => {
        timer = setTimeout(() => resolve('unsettled'), timeoutMs + PATIENCE_MS);
      });
      try {
        if ((await Promise.race([one(tally.made++), patience])) === 'unsettled') tally.unsettled++;
      } catch (thrown) {
        tally.failed++;
        tally.firstFailure ??= (thrown as Error).message;
      } finally {
        clearTimeout(timer);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, caller));
  signal.throwIfAborted();
}

async function heap(): Promise<number> {
  await gc();
  return (await heapByOwner()).program;
}

function tell(run: Run, name: string, innocents: Tally, others: Tally): void {
  run.say(`  ${innocents.made} innocent calls; ${others.made} others, of which ${others.failed} failed`);
  if (innocents.firstFailure !== undefined)
    run.say(`  the first innocent one that failed: ${innocents.firstFailure}`);
  run.atMost(`${name}/innocent-calls-failed`, innocents.failed, 0, 'calls');
  run.atMost(`${name}/unsettled`, innocents.unsettled + others.unsettled, 0, 'calls');
}
