import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Waiter, WaitQueue } from '../../../src/balancer/core/wait-queue.js';
import type { Linked } from '../../../src/base/linked-list.js';

class Call implements Waiter {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;

  constructor(
    public arrival: number,
    readonly group?: string,
  ) {}
}

const newcomer = (queue: WaitQueue<Call>, group?: string) => new Call(queue.arrive(), group);

/** Takes everything out by `offer`, and says in which order it came. */
function drained(queue: WaitQueue<Call>): number[] {
  const order: number[] = [];
  queue.offer((call) => {
    queue.delete(call);
    order.push(call.arrival);
    return true;
  });
  return order;
}

describe('the wait queue', () => {
  it('gives every call a place after all others', () => {
    const queue = new WaitQueue<Call>(10);
    const places = Array.from({ length: 5 }, () => queue.arrive());
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(new Set(places).size).toBe(5);
  });

  it('refuses who comes past its bound, over all groups, and forgets nobody for it', () => {
    const queue = new WaitQueue<Call>(2);
    expect([queue.add(newcomer(queue, 'x')), queue.add(newcomer(queue, 'y'))]).toEqual([true, true]);
    expect(queue.add(newcomer(queue))).toBe(false);
    expect(queue.size).toBe(2);
    queue.delete(queue.oldest()!);
    expect(queue.add(newcomer(queue))).toBe(true);
    expect(new WaitQueue<Call>(0).add(new Call(1))).toBe(false);
  });

  it('puts a call that comes back where it was', () => {
    const queue = new WaitQueue<Call>(10);
    const calls = Array.from({ length: 5 }, () => newcomer(queue));
    for (const i of [2, 4, 0, 3, 1]) queue.add(calls[i]!);
    expect(drained(queue)).toEqual([1, 2, 3, 4, 5]);
  });

  /** A call that counts how often it is asked for its place. */
  class Watched extends Call {
    static looks = 0;

    constructor(
      private readonly place: number,
      group?: string,
    ) {
      super(place, group);
      Object.defineProperty(this, 'arrival', {
        get: () => {
          Watched.looks++;
          return this.place;
        },
      });
    }
  }

  it('finds the place of newcomers, and of calls that come back, without a walk through the queue', () => {
    const queue = new WaitQueue<Call>(10_000);
    const calls = Array.from({ length: 1_000 }, () => new Watched(queue.arrive()));
    Watched.looks = 0;
    for (const call of calls) queue.add(call);
    for (const call of calls.slice(0, 3)) queue.delete(call);
    for (const call of calls.slice(0, 3)) queue.add(call);
    expect(Watched.looks).toBeLessThan(2_200);
  });

  it('asks a thousand groups, none of which can be served, without comparing each with each', () => {
    const queue = new WaitQueue<Call>(10_000);
    for (let i = 0; i < 1_000; i++) queue.add(new Watched(queue.arrive(), `tenant-${(i * 7) % 1_000}`));
    Watched.looks = 0;
    let asked = 0;
    queue.offer(() => {
      asked++;
      return false;
    });
    expect(asked).toBe(1_000);
    expect(Watched.looks).toBeLessThan(30_000);
  });

  it('ends the turn of a group whose oldest cannot be served, and of that group alone', () => {
    const queue = new WaitQueue<Call>(10);
    for (const group of ['a', 'b', 'a', undefined, 'b']) queue.add(newcomer(queue, group));
    const asked: number[] = [];
    queue.offer((call) => {
      asked.push(call.arrival);
      if (call.group === 'a') return false;
      queue.delete(call);
      return true;
    });
    expect(asked).toEqual([1, 2, 4, 5]);
    expect(queue.size).toBe(2);
    expect(queue.head('a')?.arrival).toBe(1);
    expect(queue.head('b')).toBeUndefined();
  });

  it('lets calls come and go while it offers', () => {
    const queue = new WaitQueue<Call>(10);
    const [first, second, third] = Array.from({ length: 3 }, () => newcomer(queue)) as [Call, Call, Call];
    for (const call of [first, second, third]) queue.add(call);
    const served: Call[] = [];
    queue.offer((call) => {
      queue.delete(call);
      served.push(call);
      if (call === first) {
        queue.delete(second);
        queue.add(newcomer(queue, 'late'));
      }
      return true;
    });
    expect(served.map(({ arrival }) => arrival)).toEqual([1, 3, 4]);
  });

  it('serves the oldest first when the oldest of a group leaves while others are offered to', () => {
    const queue = new WaitQueue<Call>(10);
    const groups = ['a', 'b', 'c', 'c', 'b'];
    const [, second] = groups.map((group) => {
      const call = newcomer(queue, group);
      queue.add(call);
      return call;
    });
    const served: number[] = [];
    queue.offer((call) => {
      queue.delete(call);
      served.push(call.arrival);
      if (call.arrival === 1) queue.delete(second!);
      return true;
    });
    expect(served).toEqual([1, 3, 4, 5]);
  });

  it('agrees with an array that is sorted and searched each time', () => {
    const group = fc.constantFrom(undefined, 'a', 'b');
    const step = fc.oneof(
      fc.record({ do: fc.constant('join' as const), group }),
      fc.record({ do: fc.constant('leave' as const), which: fc.nat(100) }),
      fc.record({ do: fc.constant('come back' as const), which: fc.nat(100) }),
      fc.record({
        do: fc.constant('offer' as const),
        room: fc.array(fc.nat(3), { minLength: 3, maxLength: 3 }),
      }),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 100, size: 'max' }),
        fc.integer({ min: 1, max: 12 }),
        (steps, max) => {
          const queue = new WaitQueue<Call>(max);
          let model: Call[] = [];
          const out: Call[] = [];
          const add = (call: Call) => {
            const admitted = model.length < max;
            assert.equal(queue.add(call), admitted);
            if (admitted) model.push(call);
            model.sort((x, y) => x.arrival - y.arrival);
            return admitted;
          };
          for (const step of steps) {
            if (step.do === 'join') {
              add(newcomer(queue, step.group));
            } else if (step.do === 'leave' && model.length > 0) {
              const [call] = model.splice(step.which % model.length, 1);
              queue.delete(call!);
              out.push(call!);
            } else if (step.do === 'come back' && out.length > 0) {
              const [call] = out.splice(step.which % out.length, 1);
              if (!add(call!)) out.push(call!);
            } else if (step.do === 'offer') {
              // So much room in each group: the oldest of each get it, told in the order of arrival over all.
              const room = new Map(step.room.map((n, i) => [[undefined, 'a', 'b'][i], n]));
              const lucky = [undefined, 'a', 'b'].flatMap((group) =>
                model.filter((call) => call.group === group).slice(0, room.get(group)),
              );
              lucky.sort((x, y) => x.arrival - y.arrival);
              const served: Call[] = [];
              queue.offer((call) => {
                const left = room.get(call.group)!;
                if (left === 0) return false;
                room.set(call.group, left - 1);
                queue.delete(call);
                served.push(call);
                return true;
              });
              assert.deepEqual(
                served.map(({ arrival }) => arrival),
                lucky.map(({ arrival }) => arrival),
              );
              model = model.filter((call) => !served.includes(call));
              out.push(...served);
            }
            assert.equal(queue.size, model.length);
            assert.ok(queue.oldest() === model[0]);
            for (const group of [undefined, 'a', 'b', 'c']) {
              assert.ok(queue.head(group) === model.find((call) => call.group === group));
            }
          }
          expect(drained(queue)).toEqual(model.map(({ arrival }) => arrival));
        },
      ),
    );
  });
});
