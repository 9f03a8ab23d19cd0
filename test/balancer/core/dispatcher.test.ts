import { describe, expect, it } from 'vitest';
import { Dispatcher, type Request } from '../../../src/balancer/core/dispatcher.js';
import { WaitQueue } from '../../../src/balancer/core/wait-queue.js';
import type { Candidate, PickContext, Picker } from '../../../src/balancer/pickers/picker.js';
import { roundRobin } from '../../../src/balancer/pickers/round-robin.js';
import { Row } from '../../../src/balancer/table/row.js';
import { BalancerError, Status } from '../../../src/base/errors.js';
import type { Linked } from '../../../src/base/linked-list.js';
import { seededRandom } from '../../../src/base/random.js';
import { endpoint } from '../../support/endpoints.js';
import { TableDriver } from '../../support/table-driver.js';

class Call implements Request {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
  now = 0;
  enteredAt = 0;
  readonly expiresAt = Number.POSITIVE_INFINITY;
  row: Row | undefined;
  error: BalancerError | undefined;

  constructor(
    readonly name: string,
    readonly arrival: number,
    private readonly order: string[],
    readonly group?: string,
    private readonly whenGranted?: (row: Row) => void,
  ) {}

  granted(row: Row): void {
    this.row = row;
    this.order.push(this.name);
    this.whenGranted?.(row);
  }

  refused(error: BalancerError): void {
    this.error = error;
  }
}

/** Takes the first that has room, and says what it was told. */
class FirstFit implements Picker {
  readonly name: string = 'first-fit';
  readonly told: string[] = [];

  pick(ready: readonly Candidate[], call: PickContext): Candidate | undefined {
    return ready.find((candidate) => !candidate.full && !call.exclude?.has(candidate));
  }

  added({ endpoint, pending }: Candidate): void {
    this.told.push(`added ${endpoint.address} ${pending}`);
  }

  started({ endpoint, pending }: Candidate): void {
    this.told.push(`started ${endpoint.address} ${pending}`);
  }

  finished({ endpoint, pending }: Candidate): void {
    this.told.push(`finished ${endpoint.address} ${pending}`);
  }
}

/** A dispatcher over READY rows `h:0`, `h:1`, ... with room for `limit` calls each. */
function setUp({ rows = 1, limit = 1, max = 100, picker = new FirstFit() as Picker } = {}) {
  const driver = new TableDriver({ maxPending: () => limit });
  driver.snapshot(...Array.from({ length: rows }, (_, i) => endpoint(`id${i}`, `h:${i}`)));
  for (const row of [...driver.table.rows()]) driver.ready(row);
  const queue = new WaitQueue<Request>(max);
  const faults: string[] = [];
  const dispatcher = new Dispatcher(driver.table, queue, picker, {
    onPickerError: (name, error) => faults.push(`${name}: ${error.message}`),
  });
  for (const row of driver.table.ready) dispatcher.added(row);
  const order: string[] = [];
  const call = (name: string, options: { group?: string; whenGranted?: (row: Row) => void } = {}) =>
    new Call(name, queue.arrive(), order, options.group, options.whenGranted);
  /** Picks at once, or waits: which of them it was. */
  const enter = (call: Call) => {
    const row = dispatcher.tryPick(call, 0);
    if (row === undefined) dispatcher.wait(call);
    else call.row = row;
    return call;
  };
  const finish = (row: Row) => {
    const effects = dispatcher.finish(row, 0, { code: Status.OK });
    if (effects !== undefined) driver.run(effects);
    driver.check();
  };
  return { driver, table: driver.table, queue, dispatcher, faults, order, call, enter, finish };
}

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (thrown) {
    return (thrown as BalancerError).code;
  }
  return 'nothing';
};

describe('the dispatcher', () => {
  it('counts a pick before it is known, and its end before it is told', () => {
    const picker = new FirstFit();
    const { table, dispatcher, call, finish } = setUp({ limit: 2, picker });
    const row = dispatcher.tryPick(call('a'), 0)!;
    expect([row.pending, table.pending, row.picked]).toEqual([1, 1, 1]);
    finish(row);
    expect([row.pending, table.pending, row.picked]).toEqual([0, 0, 1]);
    expect(picker.told).toEqual(['added h:0 0', 'started h:0 1', 'finished h:0 0']);
  });

  it('gives nothing while nothing has room, without asking the picker', () => {
    let asked = 0;
    const picker = { name: 'counting', pick: (ready: readonly Candidate[]) => ready[asked++ * 0] };
    const { dispatcher, call, driver } = setUp({ picker });
    dispatcher.tryPick(call('a'), 0);
    expect(dispatcher.tryPick(call('b'), 0)).toBeUndefined();
    driver.remove('id0');
    expect(dispatcher.tryPick(call('c'), 0)).toBeUndefined();
    expect(asked).toBe(1);
  });

  it('tells the picker the time and the call, and never excluded candidates to the caller', () => {
    const seen: PickContext[] = [];
    const picker: Picker = {
      name: 'seeing',
      pick(ready, call) {
        seen.push({ ...call });
        return ready.find((candidate) => !call.exclude?.has(candidate));
      },
    };
    const { dispatcher, table, call } = setUp({ rows: 2, picker });
    const request = Object.assign(call('a'), { key: 'k', exclude: new Set([table.ready[0]!]) });
    expect(dispatcher.tryPick(request, 77)).toBe(table.ready[1]);
    expect(seen[0]).toMatchObject({ now: 77, key: 'k' });
  });

  it('lets no newcomer overtake those of its group who wait', () => {
    const { dispatcher, table, call, enter, driver } = setUp();
    enter(call('first'));
    enter(call('waits'));
    // Room that nobody has been offered yet.
    driver.put(endpoint('new', 'h:9')).ready('h:9');
    expect(table.available).toBe(1);
    expect(dispatcher.tryPick(call('late'), 0)).toBeUndefined();
    expect(dispatcher.couldPick(call('late'), 0)).toBe(false);
    expect(dispatcher.couldPick(call('other', { group: 'g' }), 0)).toBe(true);
    expect(dispatcher.tryPick(call('other', { group: 'g' }), 0)).toBe(driver.row('h:9'));
  });

  it('counts nothing when it is only asked', () => {
    const { dispatcher, table, call } = setUp();
    expect(dispatcher.couldPick(call('a'), 0)).toBe(true);
    expect(table.pending).toBe(0);
    expect(table.available).toBe(1);
  });

  it('gives freed room to who has waited longest', () => {
    const { order, call, enter, finish } = setUp();
    const first = enter(call('first'));
    const [a, b] = [enter(call('a')), enter(call('b'))];
    finish(first.row!);
    expect(order).toEqual(['a']);
    finish(a.row!);
    expect(order).toEqual(['a', 'b']);
    finish(b.row!);
  });

  it('serves as many as there is room for when the set grows, in order of arrival over all groups', () => {
    const { dispatcher, driver, order, call, enter } = setUp({ limit: 2 });
    for (const name of ['x', 'y']) enter(call(name));
    for (const [name, group] of [['a'], ['b', 'g'], ['c'], ['d', 'g']] as const)
      enter(call(name, group === undefined ? {} : { group }));
    driver.put(endpoint('n', 'h:9')).ready('h:9');
    dispatcher.offer(0);
    expect(order).toEqual(['a', 'b']);
    driver.put(endpoint('m', 'h:8')).ready('h:8');
    dispatcher.offer(0);
    expect(order).toEqual(['a', 'b', 'c', 'd']);
  });

  it('refuses past its bound, saying how many wait', () => {
    const { call, enter } = setUp({ max: 1 });
    enter(call('first'));
    enter(call('waits'));
    expect(() => enter(call('too many'))).toThrow('the wait queue is full: 1 calls wait already');
    expect(code(() => enter(call('too many')))).toBe('QUEUE_FULL');
  });

  it('goes on when a call that was granted room ends at once, until all have had it', () => {
    const { dispatcher, table, order, call, enter, finish, queue } = setUp();
    const first = enter(call('first'));
    const names = Array.from({ length: 50 }, (_, i) => `c${i}`);
    for (const name of names) enter(call(name, { whenGranted: finish }));
    finish(first.row!);
    expect(order).toEqual(names);
    expect([queue.size, table.pending]).toEqual([0, 0]);
    expect(dispatcher.tryPick(call('after'), 0)).toBeDefined();
  });

  it('comes back to a group that was refused when a call of another makes room for it', () => {
    // Each group has a row of its own.
    const picker: Picker = {
      name: 'grouping',
      pick: (ready, { group }) =>
        ready.find((row) => !row.full && row.endpoint.id === (group === 'a' ? 'id0' : 'id1')),
    };
    const { order, call, enter, finish } = setUp({ rows: 2, picker });
    const [a, b] = [enter(call('a', { group: 'a' })), enter(call('b', { group: 'b' }))];
    enter(call('waits', { group: 'a' }));
    enter(call('frees', { group: 'b', whenGranted: () => finish(a.row!) }));
    finish(b.row!);
    expect(order).toEqual(['frees', 'waits']);
  });

  it('takes in what joins and what leaves while it serves', () => {
    const { order, call, enter, finish, queue } = setUp({ limit: 1 });
    const first = enter(call('first'));
    const leaves = () => queue.delete(gone);
    enter(
      call('a', {
        whenGranted: (row) => {
          leaves();
          enter(call('late', { whenGranted: finish }));
          finish(row);
        },
      }),
    );
    const gone = enter(call('gone'));
    enter(call('b', { whenGranted: finish }));
    finish(first.row!);
    expect(order).toEqual(['a', 'b', 'late']);
  });
});

describe('a picker at fault', () => {
  const broken = (pick: (ready: readonly Candidate[], call: PickContext) => unknown): Picker => ({
    name: 'broken',
    pick: pick as Picker['pick'],
  });

  it('fails the call with what it threw, and counts nothing', () => {
    const { dispatcher, table, call } = setUp({
      picker: broken(() => {
        throw new Error('boom');
      }),
    });
    const error = (() => {
      try {
        dispatcher.tryPick(call('a'), 0);
      } catch (thrown) {
        return thrown as BalancerError;
      }
    })()!;
    expect(error).toBeInstanceOf(BalancerError);
    expect(error).toMatchObject({ code: 'PICKER_FAILED', message: 'picker broken threw: boom' });
    expect((error.cause as Error).message).toBe('boom');
    expect(table.pending).toBe(0);
  });

  const elsewhere = setUp();
  it.each([
    ['what is no candidate', () => ({ endpoint: endpoint('x', 'h:1'), slot: 0, pending: 0, full: false })],
    ['a number', () => 0],
    ['null', () => null],
    ['a full candidate', (ready: readonly Candidate[]) => ready.find(({ full }) => full)],
    ['a row that is not READY', () => new Row(endpoint('x', 'h:1'), 0, 9)],
    ["another pool's row", () => elsewhere.table.ready[0]],
    ['an excluded candidate', (_: unknown, call: PickContext) => [...call.exclude!][0]],
  ])('fails the call when it chooses %s', (_, pick) => {
    const picker = new FirstFit();
    const { dispatcher, table, call } = setUp({ rows: 3, picker });
    const taken = dispatcher.tryPick(call('takes'), 0)!;
    dispatcher.setPicker(broken(pick), 0);
    const exclude = new Set(table.ready.filter((row) => row !== taken).slice(0, 1));
    expect(code(() => dispatcher.tryPick(Object.assign(call('a'), { exclude }), 0))).toBe('PICKER_FAILED');
    expect(table.pending).toBe(1);
    expect(elsewhere.table.pending).toBe(0);
  });

  it('refuses those who wait one by one, and leaves none of them behind', () => {
    let fails = 2;
    const { dispatcher, call, enter, finish, queue, order, table } = setUp();
    const first = enter(call('first'));
    const waiting = ['a', 'b', 'c'].map((name) => enter(call(name)));
    dispatcher.setPicker(
      broken((ready) => {
        if (fails-- > 0) throw new Error('boom');
        return ready[0];
      }),
      0,
    );
    finish(first.row!);
    expect(waiting.map(({ error }) => error?.code)).toEqual(['PICKER_FAILED', 'PICKER_FAILED', undefined]);
    expect(order).toEqual(['c']);
    expect([queue.size, table.pending]).toEqual([0, 1]);
  });

  it('costs nobody a call when its hooks throw', () => {
    const boom = (what: string) => () => {
      throw new Error(what);
    };
    const picker: Picker = {
      name: 'clumsy',
      pick: (ready) => ready[0],
      announced: boom('announced'),
      added: boom('added'),
      removed: boom('removed'),
      updated: boom('updated'),
      started: boom('started'),
      finished: boom('finished'),
    };
    const { dispatcher, table, call, enter, finish, faults } = setUp({ picker });
    const first = enter(call('first'));
    const waits = enter(call('waits'));
    finish(first.row!);
    expect(waits.row).toBe(table.ready[0]);
    dispatcher.removed(table.ready[0]!);
    dispatcher.updated(table.ready[0]!, table.ready[0]!.endpoint);
    dispatcher.announced(table.ready[0]!.endpoint, undefined);
    expect(faults).toEqual(
      ['added', 'started', 'finished', 'started', 'removed', 'updated', 'announced'].map(
        (h) => `clumsy: ${h}`,
      ),
    );
    finish(waits.row!);
    expect(table.pending).toBe(0);
  });
});

describe('a hot swap', () => {
  it('tells the new picker of everything READY with its pending calls, and of ends that it did not see begin', () => {
    const { dispatcher, call, enter, finish } = setUp({ rows: 2, limit: 3 });
    const calls = ['a', 'b', 'c'].map((name) => enter(call(name)));
    const picker = new FirstFit();
    dispatcher.setPicker(picker, 0);
    expect(picker.told).toEqual(['added h:0 3', 'added h:1 0']);
    finish(calls[0]!.row!);
    expect(picker.told.at(-1)).toBe('finished h:0 2');
    expect(dispatcher.picker).toBe(picker);
  });

  it('serves those whom the old picker refused', () => {
    const { dispatcher, call, enter, order } = setUp({
      picker: { name: 'picky', pick: () => undefined },
    });
    enter(call('a'));
    expect(order).toEqual([]);
    dispatcher.setPicker(roundRobin()({ random: seededRandom(1) }), 0);
    expect(order).toEqual(['a']);
  });
});

describe('a call that probes', () => {
  it('knows when it was picked, as one that the picker chose does', () => {
    const { driver, queue, faults, call } = setUp();
    const [row] = driver.table.ready;
    const dispatcher = new Dispatcher(driver.table, queue, new FirstFit(), {
      onPickerError: (name, error) => faults.push(`${name}: ${error.message}`),
      probe: () => row,
    });
    const probing = call('a');
    expect(dispatcher.tryPick(probing, 1_234)).toBe(row);
    expect(probing.now).toBe(1_234);
  });
});
