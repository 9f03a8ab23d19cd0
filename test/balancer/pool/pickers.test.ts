import { describe, expect, it } from 'vitest';
import type { Picker } from '../../../src/balancer/pickers/picker.js';
import { Status } from '../../../src/base/errors.js';
import { greeting, nameOf, outcome, PoolFixture } from '../../support/pool-fixture.js';

describe('a hot swap', () => {
  it('fails no call and loses no count, mid-flight', async () => {
    const f = await new PoolFixture().serving('h:1', 'h:2');
    const calls = ['a', 'b', 'c'].map((name) => f.hello(name));
    f.pool.setPicker('least-pending');
    expect(f.rows).toEqual(['h:1 ready 2', 'h:2 ready 1']);
    calls.push(f.hello('d'));
    expect(f.sent.at(-1)).toBe('d@h:2');
    f.transport.calls[0]!.answer(greeting('a'));
    f.transport.calls[2]!.answer(greeting('c'));
    calls.push(f.hello('e'));
    expect(f.sent.at(-1)).toBe('e@h:1');
    for (const wire of f.transport.open) wire.answer(greeting(nameOf(wire)));
    expect(await Promise.all(calls)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(f.rows).toEqual(['h:1 ready 0', 'h:2 ready 0']);
    expect(f.pool.snapshot().picker).toBe('least-pending');
  });

  it('is refused for a name that nobody has, and for a factory that throws', async () => {
    const f = await new PoolFixture().serving('h:1');
    expect(() => f.pool.setPicker('fair' as never)).toThrow(/fair/);
    expect(() =>
      f.pool.setPicker(() => {
        throw new Error('boom');
      }),
    ).toThrow('boom');
    expect(f.pool.snapshot().picker).toBe('round-robin');
  });
});

describe('a picker at fault', () => {
  it('fails calls with INTERNAL, until another is put in its place', async () => {
    const f = await new PoolFixture({
      picker: () => ({
        name: 'broken',
        pick() {
          throw new Error('boom');
        },
      }),
    }).serving('h:1');
    expect(await outcome(f.hello('a'))).toMatchObject({
      code: Status.INTERNAL,
      cause: { code: 'PICKER_FAILED', cause: { message: 'boom' } },
    });
    expect(() => f.pool.tryPick()).toThrow('picker broken threw: boom');
    f.pool.setPicker('random');
    void f.hello('b');
    f.transport.call.answer(greeting(''));
    expect(f.rows).toEqual(['h:1 ready 0']);
  });

  it('warns once of hooks that throw, and goes on', async () => {
    const clumsy = (): Picker => ({
      name: 'clumsy',
      pick: (ready) => ready[0],
      started() {
        throw new Error('boom');
      },
      finished() {
        throw new Error('boom');
      },
    });
    const f = await new PoolFixture({ picker: clumsy }).serving('h:1');
    for (let i = 0; i < 3; i++) {
      const call = f.hello('a');
      f.transport.call.answer(greeting('hi'));
      expect(await call).toBe('hi');
    }
    expect(f.warnings).toEqual(['greeter: a hook of picker clumsy threw, its choices may be wrong: boom']);
  });
});
