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
