/** Counts what has come, for whoever waits until there is enough of it or nothing more is to come. */
export class Turns {
  #count = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  get ended(): boolean {
    return this.#ended;
  }

  next(): void {
    this.#count++;
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** Resolves when so many have come, or at the end. One waits at a time. */
  async reached(count: number): Promise<void> {
    while (this.#count < count && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
