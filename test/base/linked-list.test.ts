import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { type Linked, LinkedList } from '../../src/base/linked-list.js';

class Member implements Linked {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
}

function forwards(list: LinkedList<Member>): Member[] {
  const members: Member[] = [];
  for (let m = list.first; m !== undefined; m = m.after as Member | undefined) members.push(m);
  return members;
}

function backwards(list: LinkedList<Member>): Member[] {
  const members: Member[] = [];
  for (let m = list.last; m !== undefined; m = m.before as Member | undefined) members.push(m);
  return members;
}

const same = (a: readonly Member[], b: readonly Member[]) =>
  a.length === b.length && a.every((member, i) => member === b[i]);

describe('a linked list', () => {
  it('is an array to which and from which anything is added and taken anywhere', () => {
    const step = fc.record({ do: fc.constantFrom('push', 'insert', 'delete'), at: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
        const list = new LinkedList<Member>();
        const array: Member[] = [];
        for (const { do: what, at } of steps) {
          const member = new Member();
          if (what === 'push') {
            list.push(member);
            array.push(member);
          } else if (what === 'insert') {
            const place = at % (array.length + 1);
            list.insertAfter(array[place - 1], member);
            array.splice(place, 0, member);
          } else if (array.length > 0) {
            const [taken] = array.splice(at % array.length, 1);
            list.delete(taken!);
            assert.deepEqual([taken!.before, taken!.after], [undefined, undefined]);
          }
          assert.ok(same(forwards(list), array));
          assert.ok(same(backwards(list), [...array].reverse()));
          assert.equal(list.size, array.length);
        }
      }),
    );
  });
});
