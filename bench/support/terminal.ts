import { createLogUpdate } from 'log-update';
import { printable } from '../../src/base/printable.js';

/** Where nothing can be overwritten, a line of progress is printed this often at most, in milliseconds. */
const PRINT_EVERY_MS = 10_000;

/** Lines that stay, and below them, on a terminal, one that says how far it is. */
export class Terminal {
  readonly #out: NodeJS.WriteStream;
  readonly #live: ReturnType<typeof createLogUpdate> | undefined;
  #printedAt = Number.NEGATIVE_INFINITY;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
    this.#live = out.isTTY ? createLogUpdate(out) : undefined;
  }

  /** A line that stays, or several. */
  say(line: string): void {
    const shown = line.split('\n').map(printable).join('\n');
    if (this.#live === undefined) this.#out.write(`${shown}\n`);
    else this.#live.persist(shown);
  }

  /** How far it is; the next such line takes its place. */
  progress(line: string): void {
    if (this.#live !== undefined) {
      this.#live(printable(line));
      return;
    }
    const now = performance.now();
    if (now - this.#printedAt < PRINT_EVERY_MS) return;
    this.#printedAt = now;
    this.#out.write(`${printable(line)}\n`);
  }

  /** Takes the line of progress away. */
  clear(): void {
    this.#live?.clear();
  }
}
