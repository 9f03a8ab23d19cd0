import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Row } from '../../../src/balancer/table/row.js';
import { Subset } from '../../../src/balancer/table/subset.js';
import { endpoint } from '../../support/endpoints.js';

/** A subset, and its rows by the number in their address; `moves` are those of the last change. */
class Client {
  readonly members = new Set<number>();
  readonly rows = new Map<number, Row>();
  moves: string[] = [];
  readonly #subset: Subset<unknown>;
  readonly #free: number[] = [];

  constructor(size: number, seed = 1) {
    this.#subset = new Subset({ size, seed }, (row, member) => {
      const n = numberOf(row);
      this.moves.push(`${member ? '+' : '-'}${n}`);
      if (member) this.members.add(n);
      else this.members.delete(n);
    });
  }

  /** What has changed by this between before and after. */
  #change(act: () => void): string[] {
    const before = new Set(this.members);
    this.moves = [];
    act();
    return [
      ...[...this.members].filter((n) => !before.has(n)).map((n) => `+${n}`),
      ...[...before].filter((n) => !this.members.has(n)).map((n) => `-${n}`),
    ];
  }

  add(n: number): string[] {
    const row = new Row(endpoint(`id-${n}`, `10.0.0.${n}:50051`), this.#free.pop() ?? this.rows.size, 1);
    this.rows.set(n, row);
    return this.#change(() => this.#subset.add(row));
  }

  delete(n: number): string[] {
    const row = this.rows.get(n)!;
    return this.#change(() => {
      this.#subset.delete(row);
      // A row that is gone is told of by nobody.
      this.members.delete(n);
      this.rows.delete(n);
      this.#free.push(row.slot);
    });
  }

  failed(n: number, failed: boolean): string[] {
    return this.#change(() => this.#subset.setFailed(this.rows.get(n)!, failed));
  }

  has(n: number): boolean {
    return this.#subset.has(this.rows.get(n)!);
  }

  get sorted(): number[] {
    return [...this.members].sort((a, b) => a - b);
  }
}

const numberOf = (row: Row) => Number(row.endpoint.address.match(/\.(\d+):/)![1]);

function clientOf(size: number, servers: number, seed = 1): Client {
  const client = new Client(size, seed);
  for (let n = 0; n < servers; n++) client.add(n);
  return client;
}

/** The order in which a client of that seed prefers the servers: it takes one, and each is gone in turn. */
function orderOf(servers: number, seed = 1): number[] {
  const client = clientOf(1, servers, seed);
  const order: number[] = [];
  for (let [first] = client.members; first !== undefined; [first] = client.members) {
    order.push(first);
    client.delete(first);
  }
  return order;
}

describe('a subset', () => {
  it('is of its size, or all', () => {
    expect(clientOf(3, 2).sorted).toEqual([0, 1]);
    expect(clientOf(3, 10).members.size).toBe(3);
  });

  it('is the same for the same seed, whatever the order in which servers came', () => {
    const forward = clientOf(5, 40, 7);
    const backward = new Client(5, 7);
    for (let n = 39; n >= 0; n--) backward.add(n);
    expect(backward.sorted).toEqual(forward.sorted);
  });

  it('changes by one member at most for a server more or less', () => {
    const step = fc.tuple(fc.boolean(), fc.nat(29));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.nat(2 ** 32 - 1),
        fc.array(step, { maxLength: 100, size: 'max' }),
        (size, seed, steps) => {
          const client = new Client(size, seed);
          for (const [add, n] of steps) {
            if (client.rows.has(n) === add) continue;
            const change = add ? client.add(n) : client.delete(n);
            expect(change.filter((moved) => moved.startsWith('+')).length).toBeLessThanOrEqual(1);
            expect(change.filter((moved) => moved.startsWith('-')).length).toBeLessThanOrEqual(1);
            expect(client.members.size).toBe(Math.min(size, client.rows.size));
            for (const of of client.rows.keys()) expect(client.has(of)).toBe(client.members.has(of));
          }
        },
      ),
    );
  });

  it('makes up for members that fail, and lets their stand-ins go when they are well', () => {
    const [first, second, third, fourth, fifth] = orderOf(10);
    const client = clientOf(2, 10);
    expect(client.failed(second!, true)).toEqual([`+${third}`]);
    expect(client.failed(first!, true)).toEqual([`+${fourth}`]);
    // Failed ones are kept, to be tried again.
    expect(client.members).toEqual(new Set([first, second, third, fourth]));
    expect(client.failed(third!, true)).toEqual([`+${fifth}`]);
    expect(client.failed(first!, false)).toEqual([`-${fifth}`]);
    expect(client.failed(second!, false).sort()).toEqual([`-${third}`, `-${fourth}`].sort());
    expect(client.members).toEqual(new Set([first, second]));
  });

  it('is the shortest run of its order in which so many are well', () => {
    const step = fc.tuple(fc.constantFrom('add', 'delete', 'fail', 'fail', 'well'), fc.nat(11));
    const order = orderOf(12, 3);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { maxLength: 100, size: 'max' }),
        (size, steps) => {
          const client = new Client(size, 3);
          const failed = new Set<number>();
          for (const [what, n] of steps) {
            if ((what === 'add') === client.rows.has(n)) continue;
            if (what === 'add') client.add(n);
            else if (what === 'delete') {
              client.delete(n);
              failed.delete(n);
              // Only what is connected can fail.
            } else if (client.members.has(n)) {
              if (what === 'fail') failed.add(n);
              else failed.delete(n);
              client.failed(n, what === 'fail');
            }
            const run = new Set<number>();
            let well = 0;
            for (const of of order) {
              if (well === size || !client.rows.has(of)) continue;
              run.add(of);
              if (!failed.has(of)) well++;
            }
            for (const of of [...failed]) if (!run.has(of)) failed.delete(of);
            expect(client.members).toEqual(run);
          }
        },
      ),
    );
  });

  it('tells each move once, and of no row that stays', () => {
    const client = clientOf(3, 9);
    const [in1] = client.members;
    client.delete(in1!);
    expect(client.moves.length).toBe(1);
    client.add(in1!);
    expect([...client.moves].sort()).toEqual([`+${in1}`, expect.stringMatching(/^-/)]);
  });
});

describe('the subsets of many clients', () => {
  const CLIENTS = 100;
  const SERVERS = 100;
  const SIZE = 25;

  it('give each server a binomial number of them: 25 +- 4.33 (gRFC A68)', () => {
    const runs = 6;
    const counts: number[] = [];
    for (let run = 0; run < runs; run++) {
      const perServer = new Array<number>(SERVERS).fill(0);
      for (let i = 0; i < CLIENTS; i++) {
        for (const n of clientOf(SIZE, SERVERS, 7_919 * (run * CLIENTS + i)).members) perServer[n]!++;
      }
      counts.push(...perServer);
    }
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    const sd = Math.sqrt(counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / counts.length);
    expect(mean).toBe(SIZE);
    expect(sd).toBeGreaterThan(4.33 * 0.9);
    expect(sd).toBeLessThan(4.33 * 1.1);
  });

  it('have in common what chance gives them, for seeds next to each other too', () => {
    const sets = Array.from({ length: 60 }, (_, seed) => clientOf(SIZE, SERVERS, seed).members);
    let common = 0;
    for (let i = 1; i < sets.length; i++) for (const n of sets[i]!) common += Number(sets[i - 1]!.has(n));
    // Hypergeometric: mean 6.25, deviation 1.89; of 59 pairs 0.25.
    expect(common / 59).toBeGreaterThan(6.25 - 4 * 0.25);
    expect(common / 59).toBeLessThan(6.25 + 4 * 0.25);
  });
});
