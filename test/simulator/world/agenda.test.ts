import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Agenda, EventKind, indexOf, kindOf } from '../../../src/simulator/world/agenda.js';

describe('the agenda', () => {
  it('runs timers in order of time, and those of a moment in the order in which they were set', () => {
    const agenda = new Agenda();
    const ran: string[] = [];
    const cancel = agenda.after(5, () => ran.push('taken back'));
    agenda.after(10, () => ran.push('c'));
    agenda.after(5, () => {
      ran.push('a');
      agenda.after(0, () => ran.push('b, set meanwhile for the same moment'));
    });
    agenda.after(5, () => ran.push('a, too'));
    agenda.after(Number.POSITIVE_INFINITY, () => ran.push('never'));
    cancel();
    while (agenda.nextTimerAt < Number.POSITIVE_INFINITY) {
      agenda.advance(agenda.nextTimerAt);
      agenda.runTimers();
    }
    expect(ran).toEqual(['a', 'a, too', 'b, set meanwhile for the same moment', 'c']);
    expect(agenda.now()).toBe(10);
  });

  it('gives events in order of time, each with its kind and index', () => {
    const kinds = Object.values(EventKind);
    const event = fc.record({
      at: fc.integer({ min: 0, max: 50 }),
      kind: fc.constantFrom(...kinds),
      index: fc.integer({ min: 0, max: 2 ** 28 }),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200, size: 'max' }), (events) => {
        const agenda = new Agenda();
        for (const { at, kind, index } of events) agenda.at(at, kind, index);
        const taken: string[] = [];
        let last = 0;
        while (agenda.nextEventAt < Number.POSITIVE_INFINITY) {
          const at = agenda.nextEventAt;
          expect(at).toBeGreaterThanOrEqual(last);
          last = at;
          const next = agenda.takeEvent();
          taken.push(`${at} ${kindOf(next)} ${indexOf(next)}`);
        }
        const all = events.map(({ at, kind, index }) => `${at} ${kind} ${index}`);
        expect(taken.sort()).toEqual(all.sort());
      }),
    );
  });
});
