// The program that `churn.ts` starts: changes many endpoints at a steady rate, in a process of its own so that its work
// does not delay what is measured.
import { setTimeout as delay } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import { Bulk, type BulkOptions } from './bulk.js';
import type { Change } from './gateway.js';

/** What the program is told on its command line, as JSON. */
export interface ChurnWork {
  readonly url: string;
  readonly keysBegin: string;
  readonly bulk: BulkOptions;
  /** How many of its changes have been made already. */
  readonly made: number;
  readonly perSecond: number;
  readonly seconds: number;
}

/** What it says when it is done. */
export interface ChurnDone {
  readonly changes: number;
  readonly perSecond: number;
}

const TICK_MS = 5;

const work = JSON.parse(process.argv[2] ?? '') as ChurnWork;
const { url, keysBegin, perSecond, seconds } = work;
// A thousand requests a second cost etcd's JSON gateway more than all else in this together.
const etcd = new Etcd3({ hosts: url });
const bulk = new Bulk(keysBegin, work.bulk);
for (let made = 0; made < work.made; made++) bulk.change();
// Its parent has gone, by whatever way.
process.once('disconnect', () => process.exit(1));

const total = perSecond * seconds;
const beganAt = performance.now();
const underWay = new Set<Promise<void>>();
let begun = 0;
while (begun < total) {
  const due = Math.min(total, Math.floor(((performance.now() - beganAt) * perSecond) / 1000));
  for (; begun < due; begun++) {
    const change = make(bulk.change());
    underWay.add(change);
    void change.then(() => underWay.delete(change));
  }
  await delay(TICK_MS);
}
await Promise.all(underWay);
const done: ChurnDone = { changes: begun, perSecond: (begun * 1000) / (performance.now() - beganAt) };
process.send?.(done, () => process.exit(0));

/** One put, or the removal of one key and the put of another at one revision. */
async function make(change: readonly Change[]): Promise<void> {
  const [first, second] = change;
  if (first !== undefined && 'put' in first) {
    await etcd.put(first.put).value(first.value);
  } else if (first !== undefined && second !== undefined && 'put' in second) {
    await etcd
      .if(first.remove, 'Version', '>', 0)
      .then(etcd.delete().key(first.remove), etcd.put(second.put).value(second.value))
      .commit();
  }
}
