import { json } from 'node:stream/consumers';
import { getHeapSnapshot, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects garbage until there is no more of it to collect, without a flag on the command line. */
export async function gc(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let i = 0; i < 4; i++) {
    // What ended just now is let go of in turns of its own.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
}

/** The heap in use, in bytes. */
export function heapUsed(): number {
  return process.memoryUsage().heapUsed;
}

/** The part of a heap snapshot that is read here; see v8-profiler.h. */
interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[]];
    };
  };
  readonly nodes: readonly number[];
}

/** What V8 makes for itself: code, what it has learnt for compiling it, and lists of what depends on that. */
const ENGINE: ReadonlySet<string> = new Set(['code', 'hidden', 'object shape']);

/** The heap in bytes: what the program has made, and what the engine has made to run it. */
export async function heapByOwner(): Promise<{ readonly program: number; readonly engine: number }> {
  const { snapshot, nodes } = (await json(getHeapSnapshot())) as Snapshot;
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [type, size] = [fields.indexOf('type'), fields.indexOf('self_size')];
  const bytes = { program: 0, engine: 0 };
  for (let node = 0; node < nodes.length; node += fields.length) {
    const owner = ENGINE.has(types[0][nodes[node + type]!]!) ? 'engine' : 'program';
    bytes[owner] += nodes[node + size]!;
  }
  return bytes;
}
