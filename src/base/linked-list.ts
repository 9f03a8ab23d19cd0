/** What can stand in a {@link LinkedList}: in one at a time, and only the list writes to these. */
export interface Linked {
  before: Linked | undefined;
  after: Linked | undefined;
}

/** A doubly linked list whose links are in its members: adding and taking out anywhere is O(1) and allocates nothing. */
export class LinkedList<T extends Linked> {
  first: T | undefined;
  last: T | undefined;
  size = 0;

  /** Adds after `place`, which is a member; first, without one. */
  insertAfter(place: T | undefined, member: T): void {
    const after = place === undefined ? this.first : (place.after as T | undefined);
    member.before = place;
    member.after = after;
    if (place === undefined) this.first = member;
    else place.after = member;
    if (after === undefined) this.last = member;
    else after.before = member;
    this.size++;
  }

  push(member: T): void {
    this.insertAfter(this.last, member);
  }

  /** Takes out a member. */
  delete(member: T): void {
    const before = member.before as T | undefined;
    const after = member.after as T | undefined;
    if (before === undefined) this.first = after;
    else before.after = after;
    if (after === undefined) this.last = before;
    else after.before = before;
    member.before = undefined;
    member.after = undefined;
    this.size--;
  }
}
