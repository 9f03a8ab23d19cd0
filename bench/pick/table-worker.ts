// Measures what a change of the table takes: an endpoint is removed and another put, connected and READY, the picker told
// of all of it. Sends one TableChange for each size to the process that forked it.

import { leastPending } from '../../src/balancer/pickers/least-pending.js';
import type { Effect, Row } from '../../src/balancer/table/row.js';
import { Table } from '../../src/balancer/table/table.js';
import type { Endpoint } from '../../src/base/endpoint.js';
import { seededRandom } from '../../src/base/random.js';
import { nsOfCpu } from '../support/cpu-time.js';
import { median } from '../support/statistics.js';
import { TABLE_SIZES, type TableChange } from './sizes.js';

const ROUNDS = 31;
const WARM_UP_ROUNDS = 10;
const CHANGES = 500;

/** A table of n READY rows under a picker, whose connections are made at once. */
class Fleet {
  readonly #table = new Table(
    {
      maxConnecting: 64,
      connectTimeoutMs: 20_000,
      drainTimeoutMs: 30_000,
      reconnect: { baseMs: 100, maxMs: 10_000 },
      maxPending: () => Number.POSITIVE_INFINITY,
    },
    seededRandom(1),
  );
  readonly #picker = leastPending()({ random: seededRandom(2) });
  readonly #endpoints: Endpoint[] = [];
  #made = 0;
  #now = 0;

  constructor(readonly n: number) {
    while (this.#endpoints.length < n) this.#endpoints.push(this.#make());
    this.#run(this.#table.applySnapshot(this.#endpoints, this.#now));
    if (this.#table.ready.length !== n) throw new Error(`${this.#table.ready.length} of ${n} rows are READY`);
  }

  change(at: number): void {
    this.#now += 10;
    const leaver = this.#endpoints[at % this.n]!;
    const joiner = this.#make();
    this.#endpoints[at % this.n] = joiner;
    this.#run(this.#table.applyChanges([joiner], [leaver.id], this.#now));
  }

  #make(): Endpoint {
    const id = `10.0.${this.#made >> 14}.1:${10_000 + (this.#made++ & 0x3fff)}`;
    return { id, address: id, weight: 1, metadata: {} };
  }

  /** Connections are made in the order in which they are asked for: each one READY makes room for the next. */
  #run(effects: readonly Effect<unknown>[]): void {
    const connecting: Row[] = [];
    this.#tell(effects, connecting);
    for (const row of connecting) {
      this.#tell(this.#table.connectivityChanged(row, { kind: 'ready' }, this.#now), connecting);
    }
  }

  #tell(effects: readonly Effect<unknown>[], connecting: Row[]): void {
    for (const effect of effects) {
      if (effect.kind === 'connect') connecting.push(effect.row);
      else if (effect.kind === 'added') this.#picker.added?.(effect.row);
      else if (effect.kind === 'removed') this.#picker.removed?.(effect.row);
    }
  }
}

const fleets = TABLE_SIZES.map((n) => new Fleet(n));
const samples = fleets.map((): number[] => []);
const random = seededRandom(3);
for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
  for (const [i, fleet] of fleets.entries()) {
    const ns = nsOfCpu(() => {
      for (let change = 0; change < CHANGES; change++) fleet.change(random(fleet.n));
    });
    if (round >= WARM_UP_ROUNDS) samples[i]!.push(ns / CHANGES);
  }
}
const measured: TableChange[] = fleets.map(({ n }, i) => ({ n, us: median(samples[i]!) / 1_000 }));
process.send?.(measured);
