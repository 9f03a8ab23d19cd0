import type { Logger } from '../base/logger.js';

/** One line on standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One line on standard error, whatever line breaks the text has. */
export function complain(text: string): void {
  process.stderr.write(`evenkeel: ${text.trim().replace(/\s*\n\s*/g, ' ')}\n`);
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
