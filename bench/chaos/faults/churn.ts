// Many changes a second on a big table, for long: what they cost the process that follows them.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { endWithUs } from '../../../test/support/children.js';
import { Bulk, burst } from '../bulk.js';
import type { ChurnDone, ChurnWork } from '../churn-writer.js';
import { fakeTransport } from '../fake-connections.js';
import { ALWAYS, CONVERGED, type Fault } from '../fault.js';
import { EtcdGateway } from '../gateway.js';
import { conclude, convergedMs } from '../recovery.js';
import type { Scene } from '../scene.js';

export interface ChurnOptions {
  /** Endpoints in the table. */
  readonly size: number;
  readonly perSecond: number;
  readonly seconds: number;
  /** How long the same table is measured without changes, in seconds. */
  readonly controlSeconds: number;
}

/** The guard keeps the connection of what was removed for so long, and a little: then all of it is gone. */
const KEPT_MS = 11_000;

export function churn({ size, perSecond, seconds, controlSeconds }: ChurnOptions): Fault {
  return {
    name: 'churn',
    title: `${perSecond} changes/s for ${seconds} s on a table of ${size}, half of metadata, half replacements`,
    limits: {
      ...ALWAYS,
      ...CONVERGED,
      'changes-per-second': { bound: 'at least', limit: perSecond * 0.98, unit: '1/s' },
      'delay-p99-over-idle-ms': { bound: 'at most', limit: 10, unit: 'ms' },
      'heap-growth': { bound: 'at most', limit: 5, unit: '%' },
    },
    async run(scene) {
      const etcd = await scene.etcd();
      const gateway = new EtcdGateway(etcd.url);
      const { keysBegin } = scene;
      const bulk = { size, weight: 1 };
      const table = new Bulk(keysBegin, bulk);
      await burst(gateway, table.all());
      const client = await scene.client(size, {
        hosts: [etcd.url],
        transport: fakeTransport,
        call: async (pool) => (await pool.pick()).finish(),
      });

      // A table that has never changed is smaller, by what its maps and the compiler take once and for all.
      await burst(gateway, table.changes(size));
      await scene.wait(KEPT_MS);
      const idle = await delayP99Ms(() => scene.wait(controlSeconds * 1000));
      const heapBefore = heapBytes();
      let done: ChurnDone | undefined;
      const busy = await delayP99Ms(async () => {
        done = await write(scene, { url: etcd.url, keysBegin, bulk, made: size, perSecond, seconds });
      });
      const converged = await convergedMs(scene, client, gateway, performance.now());
      await scene.wait(KEPT_MS);
      const heapAfter = heapBytes();
      scene.say(`event loop delay p99: idle ${idle.toFixed(2)} ms, busy ${busy.toFixed(2)} ms`);
      return conclude(scene, client, gateway, {
        'converged-ms': converged,
        'changes-per-second': done?.perSecond,
        'delay-p99-idle-ms': idle,
        'delay-p99-busy-ms': busy,
        'delay-p99-over-idle-ms': Math.max(0, busy - idle),
        'heap-before-mib': heapBefore / 2 ** 20,
        'heap-after-mib': heapAfter / 2 ** 20,
        'heap-growth': Math.max(0, (heapAfter / heapBefore - 1) * 100),
      });
    },
  };
}

/** The changes, made by a process of their own. */
async function write(scene: Scene, work: ChurnWork): Promise<ChurnDone> {
  const program = fileURLToPath(new URL('../churn-writer.js', import.meta.url));
  const writer = endWithUs(fork(program, [JSON.stringify(work)], { signal: scene.signal }));
  const exited = once(writer, 'exit') as Promise<[code: number | null]>;
  let done: ChurnDone | undefined;
  writer.once('message', (message) => {
    done = message as ChurnDone;
  });
  const [code] = await exited;
  if (done === undefined) throw new Error(`the writer of changes ended with ${code} before it was done`);
  return done;
}

/** The 99th percentile of the event loop's delay while something goes on, in milliseconds. */
async function delayP99Ms(meanwhile: () => Promise<void>): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await meanwhile();
  histogram.disable();
  return histogram.percentile(99) / 1e6;
}

/** What is alive on the heap, after everything else was collected. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
