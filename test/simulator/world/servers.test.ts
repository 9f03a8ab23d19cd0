import { describe, expect, it } from 'vitest';
import { Status } from '../../../src/base/errors.js';
import { seededRandom } from '../../../src/base/random.js';
import { Attempt, Store } from '../../../src/simulator/clients/calls.js';
import { distribution } from '../../../src/simulator/scenario/distribution.js';
import type { ServerPlan } from '../../../src/simulator/scenario/plan.js';
import { Agenda, EventKind, indexOf, kindOf } from '../../../src/simulator/world/agenda.js';
import { Servers } from '../../../src/simulator/world/servers.js';

/** One server, and what it answers: `at code`, by the number of the attempt. */
class Stand {
  readonly agenda = new Agenda();
  readonly answers: Record<number, string> = {};
  readonly servers: Servers;
  queued = 0;
  readonly #attempts = new Store((index) => new Attempt(index, undefined as never));

  constructor(over: Partial<ServerPlan> = {}) {
    const plan: ServerPlan = {
      endpoint: { id: 'server', address: 'server:50051', weight: 1, metadata: {} },
      service: distribution(10, () => new Float64Array()),
      concurrency: 1,
      queue: Number.POSITIVE_INFINITY,
      speed: 1,
      stopsWhenCancelled: false,
      antagonist: undefined,
      ...over,
    };
    this.servers = new Servers([plan], this.agenda, seededRandom(1), this.#attempts, {
      answers: (attempt, code) => {
        this.answers[attempt.index] = `${this.agenda.now()} ${code}`;
      },
      queued: (change) => {
        this.queued += change;
      },
    });
  }

  /** An attempt comes in, and is returned. */
  call(abandoned = false): Attempt {
    const attempt = this.#attempts.take();
    attempt.abandoned = abandoned;
    attempt.server = 0;
    attempt.phase = 'travelling';
    this.servers.arrive(attempt);
    return attempt;
  }

  /** Time passes, with what is due in it. */
  until(time: number): void {
    while (this.agenda.nextEventAt <= time) {
      this.agenda.advance(this.agenda.nextEventAt);
      const event = this.agenda.takeEvent();
      expect(kindOf(event)).toBe(EventKind.done);
      this.servers.done(this.#attempts.at(indexOf(event)));
    }
    this.agenda.advance(time);
  }
}

describe('a server', () => {
  it('serves so many at a time, and the others in order', () => {
    const stand = new Stand({ concurrency: 2 });
    for (let i = 0; i < 5; i++) stand.call();
    expect(stand.queued).toBe(3);
    stand.until(100);
    expect(stand.answers).toEqual({ 0: '10 0', 1: '10 0', 2: '20 0', 3: '20 0', 4: '30 0' });
    expect(stand.queued).toBe(0);
  });

  it('refuses those for whom its queue has no room', () => {
    const stand = new Stand({ queue: 1 });
    for (let i = 0; i < 3; i++) stand.call();
    expect(stand.answers).toEqual({ 2: `0 ${Status.RESOURCE_EXHAUSTED}` });
    stand.until(100);
    expect(stand.answers).toEqual({ 0: '10 0', 1: '20 0', 2: `0 ${Status.RESOURCE_EXHAUSTED}` });
  });

  it('works at its speed, and what it has begun goes on at a new one', () => {
    const stand = new Stand({ speed: 2, concurrency: 10 });
    stand.call();
    stand.until(3);
    // 6 of 10 ms are done; the other 4 take 16 at a quarter of the speed of 1.
    stand.servers.scaleSpeed(0, 1 / 8);
    stand.call();
    stand.until(11);
    // Half of those 4 are done.
    stand.servers.scaleSpeed(0, 8);
    stand.until(100);
    expect(stand.answers).toEqual({ 0: '12 0', 1: '15 0' });
  });

  it('stands still, and goes on where it stood', () => {
    const stand = new Stand({ concurrency: 2 });
    stand.call();
    stand.until(4);
    stand.servers.setStopped(0, true);
    stand.call();
    stand.call();
    stand.until(1_000);
    expect(stand.answers).toEqual({});
    stand.servers.setStopped(0, false);
    stand.until(2_000);
    expect(stand.answers).toEqual({ 0: '1006 0', 1: '1010 0', 2: '1016 0' });
  });

  it('fails all that it has when it goes down, and all that comes until it is up', () => {
    const stand = new Stand();
    stand.call();
    stand.call();
    stand.until(4);
    stand.servers.setUp(0, false);
    stand.call();
    expect(stand.queued).toBe(0);
    stand.until(50);
    stand.servers.setUp(0, true);
    stand.call();
    stand.until(100);
    const lost = `4 ${Status.UNAVAILABLE}`;
    expect(stand.answers).toEqual({ 0: lost, 1: lost, 2: lost, 3: '60 0' });
  });

  it('fails those that it is to fail, quickly and beside the others', () => {
    const stand = new Stand();
    stand.call();
    stand.servers.setFailing(0, { probability: 1, code: Status.INTERNAL, ms: 2 });
    stand.call();
    stand.servers.setFailing(0, undefined);
    stand.call();
    stand.until(100);
    expect(stand.answers).toEqual({ 0: '10 0', 1: `2 ${Status.INTERNAL}`, 2: '20 0' });
  });

  it('has as many places as ever for the others while some fail', () => {
    const stand = new Stand();
    stand.servers.setFailing(0, { probability: 1, code: Status.INTERNAL, ms: 50 });
    stand.call();
    stand.servers.setFailing(0, undefined);
    stand.call();
    stand.call();
    stand.until(100);
    expect(stand.answers).toEqual({ 0: `50 ${Status.INTERNAL}`, 1: '10 0', 2: '20 0' });
  });

  it('takes as long as a fault says for those that come then', () => {
    const stand = new Stand({ concurrency: 10 });
    stand.call();
    stand.servers.setLatency(0, 500);
    stand.call();
    stand.servers.setLatency(0, undefined);
    stand.call();
    stand.until(1_000);
    expect(stand.answers).toEqual({ 0: '10 0', 1: '500 0', 2: '10 0' });
  });

  it('stops working for whom has gone, served or waiting, where it does that', () => {
    const stand = new Stand({ stopsWhenCancelled: true });
    const [first, , third] = [stand.call(), stand.call(), stand.call()];
    stand.until(5);
    stand.servers.cancel(third);
    stand.servers.cancel(first);
    stand.until(100);
    const cancelled = `5 ${Status.CANCELLED}`;
    expect(stand.answers).toEqual({ 0: cancelled, 1: '15 0', 2: cancelled });
    expect(stand.queued).toBe(0);
  });

  it('notices who has gone while it was stopped when it goes on', () => {
    const stand = new Stand({ stopsWhenCancelled: true });
    const calls = [stand.call(), stand.call(), stand.call(), stand.call()];
    stand.until(5);
    stand.servers.setStopped(0, true);
    const late = stand.call(true);
    for (const gone of [calls[0]!, calls[1]!, calls[3]!]) {
      gone.abandoned = true;
      stand.servers.cancel(gone);
    }
    stand.until(50);
    expect(stand.answers).toEqual({});
    stand.servers.setStopped(0, false);
    stand.until(100);
    const cancelled = `50 ${Status.CANCELLED}`;
    expect(late.index).toBe(4);
    expect(stand.answers).toEqual({ 0: cancelled, 1: cancelled, 2: '60 0', 3: cancelled, 4: cancelled });
    expect(stand.queued).toBe(0);
  });

  it('works on where it does not', () => {
    const stand = new Stand();
    stand.servers.cancel(stand.call());
    stand.until(100);
    expect(stand.answers).toEqual({ 0: '10 0' });
  });
});
