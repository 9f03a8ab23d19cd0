// The balancer on a port that only writes down what it is asked for.
import { describe, expect, it } from 'vitest';
import {
  Balancer,
  type BalancerEvent,
  type BalancerOptions,
  type BalancerPort,
  type Timer,
} from '../../../src/balancer/core/balancer.js';
import { MASS_REMOVAL_GUARD, POOL_TABLE } from '../../../src/balancer/core/defaults.js';
import type { Request } from '../../../src/balancer/core/dispatcher.js';
import type { UnansweredCall } from '../../../src/balancer/core/outlier-detector.js';
import { OUTLIER_DEFAULTS, type OutlierOptions } from '../../../src/balancer/core/outlier-options.js';
import type { Candidate, Picker } from '../../../src/balancer/pickers/picker.js';
import { roundRobin } from '../../../src/balancer/pickers/round-robin.js';
import { Row } from '../../../src/balancer/table/row.js';
import { BalancerError, Status } from '../../../src/base/errors.js';
import type { Linked } from '../../../src/base/linked-list.js';
import { seededRandom } from '../../../src/base/random.js';
import { endpoint } from '../../support/endpoints.js';

class Call implements Request {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
  now = 0;
  row: Row | undefined;
  error: BalancerError | undefined;

  constructor(
    readonly arrival: number,
    readonly enteredAt: number,
    readonly expiresAt: number,
    readonly key: string | undefined,
    readonly group: string | undefined,
  ) {}

  granted(row: Row): void {
    this.row = row;
  }

  refused(error: BalancerError): void {
    this.error = error;
  }
}

const nameOf = (timer: Timer<unknown>) => (timer instanceof Row ? timer.endpoint.address : timer);

/** A balancer with everything about it that was said and asked. */
function setUp({
  picker = roundRobin()({ random: seededRandom(1) }) as Picker,
  outlier = undefined as Partial<OutlierOptions> | undefined,
  latencies = true,
  limit = Number.POSITIVE_INFINITY,
  guard = false,
  observed = true,
} = {}) {
  const asked: string[] = [];
  const events: BalancerEvent<unknown>[] = [];
  const timers = new Map<Timer<unknown>, number>();
  const unanswered = new Map<Row, UnansweredCall[]>();
  let settled = 0;
  let now = 0;
  const note = (what: string) => (row: Row) => {
    asked.push(`${what} ${row.endpoint.address}`);
  };
  const port: BalancerPort<unknown> = {
    connect: note('connect'),
    discard: note('discard'),
    renew: note('renew'),
    cut: note('cut'),
    unansweredCalls: (row) => unanswered.get(row) ?? [],
    setTimer(timer, ms) {
      if (ms === undefined) timers.delete(timer);
      else timers.set(timer, now + ms);
    },
  };
  const options: BalancerOptions = {
    table: {
      ...POOL_TABLE,
      maxPending: () => limit,
      ...(guard && { guard: MASS_REMOVAL_GUARD }),
    },
    maxWaiting: 2,
    retryBudget: undefined,
    outlier: outlier && { ...OUTLIER_DEFAULTS, ...outlier },
    latencies,
  };
  const observer = {
    heard: (event: BalancerEvent<unknown>) => void events.push(event),
    settled: () => void settled++,
  };
  const balancer = new Balancer(options, picker, seededRandom(1), port, observed ? observer : undefined);
  const call = ({
    expiresAt = Number.POSITIVE_INFINITY,
    key = undefined as string | undefined,
    group = undefined as string | undefined,
  } = {}) => new Call(balancer.arrive(), now, expiresAt, key, group);
  return {
    balancer,
    asked,
    events,
    timers,
    unanswered,
    get settled() {
      return settled;
    },
    get now() {
      return now;
    },
    kinds: () => events.map(({ kind }) => kind),
    timerNames: () => [...timers.keys()].map(nameOf),
    call,
    /** What was asked for since this was asked last. */
    taken: () => asked.splice(0),
    /** Time goes on, and timers come due. */
    pass(ms: number) {
      const until = now + ms;
      for (;;) {
        const [due] = [...timers].filter(([, at]) => at <= until).sort(([, a], [, b]) => a - b);
        if (due === undefined) break;
        timers.delete(due[0]);
        now = due[1];
        balancer.timerFired(due[0], now);
      }
      now = until;
    },
    /** Time goes on, and this process stands still: no timer comes due. */
    standStill(ms: number) {
      now += ms;
    },
    row: (n: number) => [...balancer.table.rows()].find((row) => row.endpoint.address === `h:${n}`)!,
    /** `n` rows, READY. */
    ready(n: number) {
      balancer.applySnapshot(
        Array.from({ length: n }, (_, i) => endpoint(`id${i}`, `h:${i}`)),
        now,
      );
      for (const row of [...balancer.table.rows()]) {
        balancer.connectivityChanged(row, { kind: 'ready' }, now);
      }
      asked.length = 0;
      events.length = 0;
    },
    /** Picks or waits. */
    enter(one = call()) {
      one.row = balancer.tryPick(one, now);
      if (one.row === undefined) balancer.wait(one);
      return one;
    },
    end(one: Call, code: number = Status.OK, latencyMs: number | undefined = 5) {
      balancer.finish(one.row!, { code, latencyMs }, now);
    },
  };
}

/** A picker that takes the first with room, and writes down its hooks. */
class Noting implements Picker {
  readonly name = 'noting';
  readonly told: string[] = [];

  pick(ready: readonly Candidate[]): Candidate | undefined {
    return ready.find((candidate) => !candidate.full);
  }
  announced(now: { address: string } | undefined, before: { address: string } | undefined): void {
    this.told.push(`announced ${now?.address} for ${before?.address}`);
  }
  added({ endpoint }: Candidate): void {
    this.told.push(`added ${endpoint.address}`);
  }
  removed({ endpoint }: Candidate): void {
    this.told.push(`removed ${endpoint.address}`);
  }
  updated({ endpoint }: Candidate, previous: { weight: number }): void {
    this.told.push(`updated ${endpoint.address} ${previous.weight} to ${endpoint.weight}`);
  }
}

describe('a call that is not worth sending', () => {
  it('waits on while there is no room for it: nothing is lost by that', () => {
    const it = setUp({ limit: 1 });
    it.ready(1);
    for (let i = 0; i < 60; i++) it.end(it.enter(), Status.OK, 100);
    const busy = it.enter();
    const late = it.enter(it.call({ expiresAt: 1_010 }));
    it.pass(1_000);
    it.balancer.setPicker(new Noting(), it.now);
    expect(late.error).toBeUndefined();
    it.end(busy, Status.OK, 100);
    expect(late.error).toMatchObject({ code: 'DEADLINE' });
  });
});

describe('what a balancer asks of its port', () => {
  it('connects what is announced, and tells those who watch', () => {
    const it = setUp();
    it.balancer.applySnapshot([endpoint('a', 'h:0')], 0);
    expect(it.asked).toEqual(['connect h:0']);
    expect(it.kinds()).toEqual(['put', 'state', 'state']);
    expect(it.timerNames()).toEqual(['h:0']);
    expect(it.settled).toBe(1);
  });

  it('asks for a row to be connected anew after it failed, and not before its time', () => {
    const it = setUp();
    it.balancer.applySnapshot([endpoint('a', 'h:0')], 0);
    it.taken();
    it.balancer.connectivityChanged(it.row(0), { kind: 'failed', cause: new Error('refused') }, 0);
    expect(it.taken()).toEqual(['discard h:0']);
    it.pass(199);
    expect(it.taken()).toEqual([]);
    it.pass(101);
    expect(it.taken()).toEqual(['connect h:0']);
  });

  it('gives up a connection that takes too long', () => {
    const it = setUp();
    it.balancer.applySnapshot([endpoint('a', 'h:0')], 0);
    it.taken();
    it.pass(POOL_TABLE.connectTimeoutMs);
    expect(it.taken()).toContain('discard h:0');
  });

  it('lets the calls of a removed endpoint finish, and cuts them when they take too long', () => {
    const it = setUp();
    it.ready(2);
    const calls = [it.enter(), it.enter()];
    it.balancer.applyChanges([], ['id0', 'id1'], 0);
    expect(it.taken()).toEqual([]);
    it.end(calls[0]!);
    expect(it.taken()).toEqual([`discard ${calls[0]!.row!.endpoint.address}`]);
    it.pass(POOL_TABLE.drainTimeoutMs);
    const { address } = calls[1]!.row!.endpoint;
    expect(it.taken()).toEqual([`cut ${address}`, `discard ${address}`]);
  });

  it('tells of endpoints that it does not believe to be gone', () => {
    const it = setUp({ guard: true });
    it.ready(4);
    it.balancer.applySnapshot([], 0);
    expect(it.kinds().filter((kind) => kind === 'unconfirmed')).toHaveLength(4);
    expect(it.balancer.table.ready).toHaveLength(4);
  });
});

describe('what the picker hears', () => {
  it('is everything that is announced, and then what is READY', () => {
    const picker = new Noting();
    const it = setUp({ picker });
    it.ready(1);
    it.balancer.applyChanges([{ ...endpoint('id0', 'h:0'), weight: 3 }], [], 0);
    it.balancer.connectivityChanged(it.row(0), { kind: 'lost' }, 0);
    it.balancer.applyChanges([], ['id0'], 0);
    expect(picker.told).toEqual([
      'announced h:0 for undefined',
      'added h:0',
      'announced h:0 for h:0',
      'updated h:0 1 to 3',
      'removed h:0',
      'announced undefined for h:0',
    ]);
    expect(it.events.filter(({ kind }) => kind === 'put' || kind === 'gone')).toEqual([
      { kind: 'put', endpoint: expect.objectContaining({ weight: 3 }), previous: expect.anything() },
      { kind: 'gone', endpoint: expect.objectContaining({ address: 'h:0' }) },
    ]);
  });

  it('is no reason to stop when one of its hooks throws', () => {
    const picker = new Noting();
    picker.added = () => {
      throw new Error('a mistake');
    };
    const it = setUp({ picker });
    it.balancer.applySnapshot([endpoint('id0', 'h:0')], 0);
    it.balancer.connectivityChanged(it.row(0), { kind: 'ready' }, 0);
    expect(it.events).toContainEqual({
      kind: 'picker-failed',
      picker: 'noting',
      error: new Error('a mistake'),
    });
    expect(it.enter().row).toBe(it.row(0));
  });

  it('is all that is there when it is swapped in, and those who wait are served', () => {
    const it = setUp({ picker: { name: 'nobody', pick: () => undefined } });
    it.ready(1);
    const waiting = it.enter();
    expect(waiting.row).toBeUndefined();
    const picker = new Noting();
    it.balancer.setPicker(picker, 0);
    expect(it.balancer.picker).toBe(picker);
    expect(picker.told).toEqual(['announced h:0 for undefined', 'added h:0']);
    expect(waiting.row).toBe(it.row(0));
  });
});

describe('calls', () => {
  it('wait while nothing is READY, and are granted in order when something is', () => {
    const it = setUp({ limit: 1 });
    const [first, second] = [it.enter(), it.enter()];
    expect(() => it.enter()).toThrow(expect.objectContaining({ code: 'QUEUE_FULL' }));
    it.ready(1);
    expect(first.row).toBe(it.row(0));
    expect(second.row).toBeUndefined();
    it.end(first);
    expect(second.row).toBe(it.row(0));
  });

  it('are served when a limit or a weight makes room', () => {
    const picker = new Noting();
    picker.pick = (ready: readonly Candidate[]) => ready.find(({ endpoint }) => endpoint.weight === 2);
    const it = setUp({ picker });
    it.ready(1);
    const waiting = it.enter();
    it.balancer.applyChanges([{ ...endpoint('id0', 'h:0'), weight: 2 }], [], 0);
    expect(waiting.row).toBe(it.row(0));
  });

  it('have their places in the order in which they come', () => {
    const { balancer } = setUp();
    const places = [balancer.arrive(), balancer.arrive(), balancer.arrive()];
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(new Set(places).size).toBe(3);
  });

  it('that the picker has nothing for are offered anew when the READY set grows, and at nothing else', () => {
    let asked = 0;
    const picker: Picker = {
      name: 'nobody',
      pick: () => {
        asked++;
        return undefined;
      },
    };
    const it = setUp({ picker });
    it.ready(1);
    it.enter();
    asked = 0;
    it.balancer.applyChanges([endpoint('other', 'h:9')], [], 0);
    it.balancer.connectivityChanged(it.row(9), { kind: 'failed', cause: new Error('refused') }, 0);
    expect(asked).toBe(0);
    it.pass(1_000);
    it.balancer.connectivityChanged(it.row(9), { kind: 'ready' }, it.now);
    expect(asked).toBe(1);
  });

  it('that leave are not served', () => {
    const it = setUp();
    const waiting = it.enter();
    it.balancer.leave(waiting);
    it.ready(1);
    expect(waiting.row).toBeUndefined();
    expect(it.balancer.queue.size).toBe(0);
  });

  it('could be picked, without being counted', () => {
    const it = setUp({ limit: 1 });
    expect(it.balancer.couldPick(it.call(), 0)).toBe(false);
    it.ready(1);
    expect(it.balancer.couldPick(it.call(), 0)).toBe(true);
    expect(it.balancer.couldPick(it.call(), 0)).toBe(true);
    expect(it.balancer.table.pending).toBe(0);
  });

  it('that wait are refused at the close, and rows are given up', () => {
    const it = setUp({ outlier: {} });
    it.ready(1);
    const open = it.enter();
    expect(it.timerNames().sort()).toEqual(['look', 'sweep']);
    it.balancer.setServing(it.row(0), false, 0);
    const waiting = [it.enter(), it.enter()];
    it.taken();
    const refusal = new BalancerError('CLOSED', 'closed');
    it.balancer.close(refusal, 0);
    expect(waiting.map(({ error }) => error)).toEqual([refusal, refusal]);
    expect(it.taken()).toEqual([]);
    expect(it.timerNames()).toEqual(['h:0']);
    expect(it.balancer.queue.size).toBe(0);
    it.end(open);
    expect(it.taken()).toEqual(['discard h:0']);
  });

  it('stop no timer of an ejection that there is not', () => {
    const it = setUp();
    it.ready(1);
    it.enter();
    expect(it.timerNames()).toEqual([]);
    it.balancer.close(new BalancerError('CLOSED', 'closed'), 0);
  });
});

describe('latencies', () => {
  it('are known when there are enough, of calls that succeeded', () => {
    const it = setUp();
    it.ready(1);
    for (let i = 0; i < 49; i++) it.end(it.enter(), Status.OK, 10);
    for (let i = 0; i < 50; i++) it.end(it.enter(), Status.UNAVAILABLE, 10);
    for (let i = 0; i < 50; i++) it.balancer.finish(it.enter().row!, { code: Status.OK }, it.now);
    expect(it.balancer.p95(it.now)).toBeUndefined();
    it.end(it.enter(), Status.OK, 10);
    expect(it.balancer.p95(it.now)).toBeGreaterThanOrEqual(10);
    expect(it.balancer.p95(it.now)).toBeLessThan(11);
  });

  it('are not kept where nobody wants them', () => {
    const it = setUp({ latencies: false });
    it.ready(1);
    for (let i = 0; i < 100; i++) it.end(it.enter());
    expect(it.balancer.p95(it.now)).toBeUndefined();
    const ejecting = setUp({ latencies: false, outlier: {} });
    ejecting.ready(1);
    for (let i = 0; i < 100; i++) ejecting.end(ejecting.enter());
    expect(ejecting.balancer.p95(ejecting.now)).toBeGreaterThan(0);
  });

  it('decide whether a call that has waited is still worth sending', () => {
    const it = setUp({ limit: 1 });
    it.ready(1);
    it.pass(9_000);
    for (let i = 0; i < 60; i++) it.end(it.enter(), Status.OK, 100);
    const busy = it.enter();
    const [late, patient] = [it.enter(it.call({ expiresAt: 10_050 })), it.enter()];
    it.pass(1_000);
    it.end(busy, Status.OK, 100);
    expect(late.error).toMatchObject({ code: 'DEADLINE' });
    expect(patient.row).toBe(it.row(0));
    const inTime = it.enter(it.call({ expiresAt: it.now + 2_000 }));
    it.end(patient, Status.OK, 100);
    expect(inTime.row).toBe(it.row(0));
  });

  it('are asked for the middle one by a call that has waited for less than half of its time', () => {
    const it = setUp({ limit: 1 });
    it.ready(1);
    it.pass(5_000);
    for (let i = 0; i < 60; i++) it.end(it.enter(), Status.OK, i < 50 ? 10 : 1_000);
    const busy = it.enter();
    const waiting = it.enter(it.call({ expiresAt: it.now + 600 }));
    it.pass(100);
    it.end(busy, Status.OK, 100);
    expect(waiting.error).toBeUndefined();
    expect(waiting.row).toBe(it.row(0));
  });
});

describe('health', () => {
  it('takes a row out and in, and says so once', () => {
    const it = setUp();
    it.ready(1);
    it.balancer.setServing(it.row(0), true, 0);
    expect(it.events).toEqual([]);
    it.balancer.setServing(it.row(0), false, 0);
    expect(it.events).toEqual([{ kind: 'serving', row: it.row(0), serving: false }]);
    const waiting = it.enter();
    expect(waiting.row).toBeUndefined();
    it.balancer.setServing(it.row(0), true, 0);
    expect(waiting.row).toBe(it.row(0));
  });
});

describe('ejection', () => {
  it('takes out a row that fails in a row, tells of it, and lets one call probe it when its time is over', () => {
    const it = setUp({ outlier: {} });
    it.ready(3);
    const bad = it.row(0);
    for (let i = 0; i < 200 && bad.ejected === false; i++) {
      const one = it.enter();
      it.end(one, one.row === bad ? Status.UNAVAILABLE : Status.OK);
    }
    expect(it.events.filter(({ kind }) => kind === 'ejected')).toMatchObject([{ row: bad }]);
    expect(it.balancer.table.ready).not.toContain(bad);
    for (let i = 0; i < 10; i++) {
      const one = it.enter();
      expect(one.row).not.toBe(bad);
      it.end(one);
    }
    it.pass(OUTLIER_DEFAULTS.baseEjectionMs);
    const keyed = it.enter(it.call({ key: 'k' }));
    expect(keyed.row).not.toBe(bad);
    it.end(keyed);
    const probe = it.enter();
    expect(probe.row).toBe(bad);
    const other = it.enter();
    expect(other.row).not.toBe(bad);
    it.end(other);
    it.end(probe);
    expect(it.balancer.table.ready).toContain(bad);
    expect(it.events.map(({ kind }) => kind)).toContain('returned');
  });

  it('does not tell the picker of the start of a probe, whose row it does not know', () => {
    const started: string[] = [];
    const picker = new Noting() as Picker;
    picker.started = ({ endpoint }) => void started.push(endpoint.address);
    const it = setUp({ outlier: {}, picker });
    it.ready(3);
    for (let i = 0; i < 5; i++) it.end(it.enter(), Status.UNAVAILABLE);
    const [ejected] = [...it.balancer.table.rows()].filter((row) => row.ejected);
    expect(ejected).toBeDefined();
    it.pass(OUTLIER_DEFAULTS.baseEjectionMs);
    started.length = 0;
    const probe = it.enter();
    expect(probe.row).toBe(ejected);
    const other = it.enter();
    expect(started).toEqual([other.row!.endpoint.address]);
  });

  it('probes no row that is full, excluded or of no use, and none for a call of a group', () => {
    const it = setUp({ outlier: {}, limit: 1 });
    it.ready(3);
    const bad = it.row(0);
    for (let i = 0; i < 200 && bad.ejected === false; i++) {
      const one = it.enter();
      it.end(one, one.row === bad ? Status.UNAVAILABLE : Status.OK);
    }
    it.pass(OUTLIER_DEFAULTS.baseEjectionMs);
    const excluding = Object.assign(it.call(), { exclude: new Set([bad]) });
    const row = it.balancer.tryPick(excluding, it.now)!;
    expect(row).not.toBe(bad);
    it.balancer.finish(row, { code: Status.OK, latencyMs: 5 }, it.now);
    const grouped = it.balancer.tryPick(it.call({ group: 'g' }), it.now)!;
    expect(grouped).not.toBe(bad);
    it.balancer.finish(grouped, { code: Status.OK, latencyMs: 5 }, it.now);
    it.balancer.setServing(bad, false, it.now);
    const well = it.enter();
    expect(well.row).not.toBe(bad);
    it.end(well);
    it.balancer.setServing(bad, true, it.now);
    const probe = it.enter();
    expect(probe.row).toBe(bad);
    it.end(probe);
  });

  it('looks at pending calls every 100 ms while there are any, and takes out who is silent', () => {
    const it = setUp({ outlier: {} });
    expect(it.balancer.watchesHung).toBe(true);
    it.ready(4);
    const warm = Array.from({ length: 80 }, () => it.enter());
    for (const one of warm) it.end(one, Status.OK, 5);
    it.pass(100);
    expect(it.timerNames()).toEqual(['sweep']);
    const hung = it.enter();
    expect(it.timers.get('look')).toBe(it.now + 100);
    it.unanswered.set(hung.row!, [{ startedAt: it.now, method: undefined } as UnansweredCall]);
    // The others answer, so that it is the row and not the fleet.
    for (let i = 0; i < 8; i++) {
      it.pass(50);
      for (let n = 0; n < 4; n++) {
        const one = it.enter();
        if (one.row !== hung.row) it.end(one);
      }
    }
    expect(it.events.filter(({ kind }) => kind === 'ejected')).toMatchObject([{ row: hung.row }]);
  });

  it('goes on looking for as long as any call is pending, though none is picked', () => {
    const it = setUp({ outlier: {} });
    it.ready(3);
    const open = it.enter();
    it.pass(350);
    expect(it.timers.get('look')).toBe(400);
    it.end(open);
    it.pass(100);
    expect(it.timerNames()).toEqual(['sweep']);
    it.enter();
    expect(it.timers.get('look')).toBe(550);
  });

  it('compares at intervals from the first connection on, whatever is connected later', () => {
    const it = setUp({ outlier: {} });
    it.ready(1);
    it.pass(4_000);
    it.balancer.applyChanges([endpoint('other', 'h:9')], [], it.now);
    it.balancer.connectivityChanged(it.row(9), { kind: 'ready' }, it.now);
    expect(it.timers.get('sweep')).toBe(OUTLIER_DEFAULTS.intervalMs);
  });

  it('counts no row that is gone', () => {
    const it = setUp({ outlier: { consecutiveFailures: false } });
    it.ready(5);
    const [bad, gone] = [it.row(0), it.row(1)];
    for (let i = 0; i < 5 * 60; i++) {
      const one = it.enter();
      it.end(one, one.row === bad ? Status.UNAVAILABLE : Status.OK);
    }
    it.balancer.connectivityChanged(gone, { kind: 'lost' }, it.now);
    it.pass(OUTLIER_DEFAULTS.intervalMs);
    // Four of them are too few to compare.
    expect(bad.ejected).toBe(false);
  });

  it.each([
    ['for half a second more than a look may take', 600, false],
    ['for less, as far as is known', 599, true],
  ])('blames nobody for calls during which this process stood still %s', (_what, ms, blamed) => {
    const it = setUp({ outlier: {} });
    it.ready(3);
    const bad = it.row(0);
    const open = Array.from({ length: 15 }, () => it.enter());
    it.standStill(ms);
    for (const one of open) it.end(one, one.row === bad ? Status.UNAVAILABLE : Status.OK, ms);
    expect(bad.ejected).toBe(blamed);
  });

  it('takes no latency from calls during which this process stood still', () => {
    const it = setUp({ outlier: {} });
    it.ready(1);
    const open = Array.from({ length: 60 }, () => it.enter());
    it.standStill(2_000);
    for (const one of open) it.end(one, Status.OK, 2_000);
    expect(it.balancer.p95(it.now)).toBeUndefined();
    it.pass(1_000);
    for (let i = 0; i < 60; i++) it.end(it.enter(), Status.OK, 1_001);
    expect(it.balancer.p95(it.now)).toBeUndefined();
    for (let i = 0; i < 60; i++) it.end(it.enter(), Status.OK, 1_000);
    expect(it.balancer.p95(it.now)).toBeGreaterThan(1_000);
  });

  it('watches no age of calls where it is told not to, and nothing at all without it', () => {
    expect(setUp({ outlier: { hung: false } }).balancer.watchesHung).toBe(false);
    expect(setUp().balancer.watchesHung).toBe(false);
  });

  it('forgets a row whose connection is another: it is a new server', () => {
    const it = setUp({ outlier: {} });
    it.ready(3);
    const bad = it.row(0);
    const failThreeTimes = () => {
      for (let i = 0; i < 9; i++) {
        const one = it.enter();
        it.end(one, one.row === bad ? Status.UNAVAILABLE : Status.OK);
      }
    };
    failThreeTimes();
    it.balancer.connectivityChanged(bad, { kind: 'lost' }, it.now);
    it.pass(1_000);
    it.balancer.connectivityChanged(bad, { kind: 'ready' }, it.now);
    expect(bad.state.kind).toBe('ready');
    failThreeTimes();
    expect(bad.ejected).toBe(false);
  });

  it('compares the shares of an interval at its end', () => {
    const it = setUp({ outlier: { consecutiveFailures: false } });
    it.ready(5);
    const bad = it.row(0);
    for (let i = 0; i < 5 * 60; i++) {
      const one = it.enter();
      it.end(one, one.row === bad ? Status.UNAVAILABLE : Status.OK);
    }
    expect(bad.ejected).toBe(false);
    it.pass(OUTLIER_DEFAULTS.intervalMs);
    expect(bad.ejected).toBe(true);
    expect(it.timers.get('sweep')).toBe(it.now + OUTLIER_DEFAULTS.intervalMs);
  });
});

describe('silence', () => {
  it('has a connection made anew beside one on which calls run out of time, while it is READY', () => {
    const it = setUp();
    it.ready(1);
    it.pass(2_000);
    it.end(it.enter(), Status.DEADLINE_EXCEEDED, 1_500);
    expect(it.taken()).toEqual(['renew h:0']);
    it.pass(10_000);
    const last = it.enter();
    it.balancer.applyChanges([], ['id0'], it.now);
    it.end(last, Status.DEADLINE_EXCEEDED, 1_500);
    expect(it.taken()).toEqual(['discard h:0']);
  });

  it('is forgotten with the connection', () => {
    const it = setUp();
    it.ready(1);
    it.pass(2_000);
    it.end(it.enter(), Status.DEADLINE_EXCEEDED, 600);
    it.balancer.connectivityChanged(it.row(0), { kind: 'lost' }, it.now);
    it.pass(500);
    it.balancer.connectivityChanged(it.row(0), { kind: 'ready' }, it.now);
    it.taken();
    it.end(it.enter(), Status.DEADLINE_EXCEEDED, 600);
    expect(it.taken()).toEqual([]);
  });
});

it('does all of it though nobody watches', () => {
  const picker = new Noting();
  picker.updated = () => {
    throw new Error('a mistake');
  };
  const it = setUp({ observed: false, outlier: {}, latencies: false, guard: true, picker });
  it.ready(4);
  it.balancer.setServing(it.row(1), false, 0);
  it.balancer.setServing(it.row(1), true, 0);
  it.balancer.applyChanges([{ ...endpoint('id2', 'h:2'), weight: 2 }], [], 0);
  for (let i = 0; i < 5; i++) it.end(it.enter(), Status.UNAVAILABLE);
  expect([...it.balancer.table.rows()].filter(({ ejected }) => ejected)).toHaveLength(1);
  it.balancer.applyChanges([], ['id3'], 0);
  it.balancer.applySnapshot([], 0);
  it.balancer.close(new BalancerError('CLOSED', 'closed'), 0);
  expect(it.events).toEqual([]);
});

it('asks for no latency that it does not keep', () => {
  const it = setUp({ latencies: false });
  it.ready(1);
  it.end(it.enter(), Status.DEADLINE_EXCEEDED, 1);
  expect(it.balancer.p95(0)).toBeUndefined();
});
