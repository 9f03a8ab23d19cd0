import type { Logger } from '../base/logger.js';
import { printable } from '../base/printable.js';

/** One line on standard output, whatever line breaks and control characters the text has. */
export function print(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}

/** Lines on standard output: what is not ours in them is printable already. */
export function printLines(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One line on standard error, whatever line breaks and control characters the text has. */
export function complain(text: string): void {
  process.stderr.write(`evenkeel: ${printable(text.trim())}\n`);
}

/** What went well on standard output, what did not on standard error. */
export const lineLogger: Logger = { info: print, warn: complain };

/** A {@link Logger} that holds its lines back until it is told to let them go, if it ever is. */
export class HeldLogger implements Logger {
  #held: (() => void)[] | undefined = [];

  constructor(private readonly logger: Logger) {}

  info(message: string): void {
    this.#write(() => this.logger.info(message));
  }

  warn(message: string): void {
    this.#write(() => this.logger.warn(message));
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const write of held) write();
  }

  #write(write: () => void): void {
    if (this.#held === undefined) write();
    else this.#held.push(write);
  }
}
