/**
 * The sum of a number for every slot, 0 or more; 0 until it is set. O(log n) a change.
 *
 * Summed up in a tree and never subtracted from. Of a running total, what is left when a great number goes is its
 * rounding: 1e-6 + 4e9 - 4e9 is not 1e-6, and after enough of that a sum of weights is 0 or less.
 */
export class SlotSum {
  /** The root is at 1, the children of a node at 2n and 2n + 1, the slots' own numbers in the second half. */
  #tree = new Float64Array(32);

  get total(): number {
    return this.#tree[1]!;
  }

  set(slot: number, value: number): void {
    while (slot >= this.#tree.length / 2) this.#grow();
    const tree = this.#tree;
    let at = tree.length / 2 + slot;
    tree[at] = value;
    for (at >>= 1; at >= 1; at >>= 1) tree[at] = tree[2 * at]! + tree[2 * at + 1]!;
  }

  /** Twice as many slots: the tree so far becomes the left child of a new root. */
  #grow(): void {
    const grown = new Float64Array(this.#tree.length * 2);
    for (let level = 1; level < this.#tree.length; level *= 2) {
      grown.set(this.#tree.subarray(level, 2 * level), 2 * level);
    }
    grown[1] = this.total;
    this.#tree = grown;
  }
}
