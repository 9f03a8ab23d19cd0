import { asError } from './errors.js';

/**
 * Where evenkeel says what an operator should know: one line per change of state, never per call, never a secret.
 * `console` fits, and so do pino's and winston's loggers.
 */
export interface Logger {
  info(message: string): void;
  warn(message: string): void;
}

/** Says nothing. The default everywhere: a library is silent until it is asked to speak. */
export const silentLogger: Logger = { info() {}, warn() {} };

/**
 * A logger that never throws, of one that may: what a user's logger throws is told once, as a warning of the process,
 * and disturbs nobody who has something to say.
 */
export function guardedLogger(logger: Logger): Logger {
  let told = false;
  const guarded = (write: () => unknown) => {
    try {
      const written = write();
      // One that is async rejects instead.
      if (written instanceof Promise) written.catch(tell);
    } catch (thrown) {
      tell(thrown);
    }
  };
  const tell = (thrown: unknown) => {
    if (told) return;
    told = true;
    warnOfHook('the logger', thrown);
  };
  return {
    info: (message) => guarded(() => logger.info(message)),
    warn: (message) => guarded(() => logger.warn(message)),
  };
}

/** Tells, by a warning of the process, that something of the user's has thrown where nobody waits for it. */
export function warnOfHook(what: string, thrown: unknown): void {
  process.emitWarning(`${what} has thrown: ${asError(thrown).message}`, 'EvenkeelWarning');
}
