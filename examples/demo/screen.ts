import { createLogUpdate } from 'log-update';
import { printable } from '../../src/base/printable.js';

/** How often the live part is drawn anew, in milliseconds. */
const FRAME_MS = 200;

/** What the demo shows as it goes: lines that stay, and on a terminal a live part below them. */
export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #live: ReturnType<typeof createLogUpdate> | undefined;
  readonly #beganAt = performance.now();
  #draw: () => string = () => '';
  #timer: NodeJS.Timeout | undefined;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
    this.#live = out.isTTY ? createLogUpdate(out) : undefined;
  }

  /** Draws this from now on, where there is a terminal. */
  show(draw: () => string): void {
    this.#draw = draw;
    if (this.#live === undefined) return;
    this.#timer ??= setInterval(() => this.#live?.(this.#draw()), FRAME_MS);
  }

  /** A line that stays. */
  say(line: string): void {
    const seconds = ((performance.now() - this.#beganAt) / 1000).toFixed(1).padStart(5);
    this.#write(`${seconds} s  ${printable(line)}`);
  }

  /** What the live part would show now, to stay, where there is no terminal to show it on. */
  still(): void {
    if (this.#live === undefined) this.#write(this.#draw());
  }

  /** Ends the live part, leaving what it showed last. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#live?.done();
  }

  #write(text: string): void {
    if (this.#live === undefined) this.#out.write(`${text}\n`);
    else this.#live.persist(text);
  }
}
