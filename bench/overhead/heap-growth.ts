import { EchoService } from '../../generated/evenkeel/echo/v1/echo.js';
import { gc, heapByOwner, heapUsed } from '../support/heap.js';
import type { Run } from '../support/program.js';
import { burst, REQUEST } from './measure.js';
import { withPool } from './with-pool.js';

const CHUNK = 100_000;
const CHUNKS = 10;
const BURSTS = 20;
const CONCURRENCY = 64;
const MIB = 1_024 * 1_024;

/** The heap after 1,000,000 calls beside that after 100,000; and whose it is what has grown. */
export async function measureHeap(run: Run): Promise<void> {
  await withPool(run.signal, async (pool) => {
    const stub = pool.stub(EchoService);
    const call = () => stub.unary(REQUEST);
    // The first snapshot pays for what it leaves behind.
    await heapByOwner();
    run.signal.throwIfAborted();
    const heaps: number[] = [];
    const owners = [];
    for (let chunk = 1; chunk <= CHUNKS; chunk++) {
      for (let i = 0; i < BURSTS; i++) {
        run.signal.throwIfAborted();
        await burst(call, CHUNK / BURSTS, CONCURRENCY);
      }
      await gc();
      heaps.push(heapUsed());
      run.say(`after ${chunk * CHUNK} calls: ${(heaps.at(-1)! / MIB).toFixed(2)} MiB`);
      if (chunk === 1 || chunk === CHUNKS) owners.push(await heapByOwner());
    }
    const [before, after] = owners;
    const program = (after!.program - before!.program) / 1_024;
    const engine = (after!.engine - before!.engine) / 1_024;
    run.say(
      `of what has grown, ${program.toFixed(1)} KiB are the program's and ${engine.toFixed(1)} KiB the engine's compiled code`,
    );
    run.record('heap', { heaps, programKiB: program, engineKiB: engine });
    run.atMost('heap/1,000,000-calls/100,000-calls', heaps.at(-1)! / heaps[0]!, 1.02, 'ratio');
  });
}
