import { afterEach, describe, expect, it, vi } from 'vitest';
import { guardedLogger, silentLogger, warnOfHook } from '../../src/base/logger.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** The warnings of the process, not shown. */
function warnings(): unknown[][] {
  const told: unknown[][] = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((...args: unknown[]) => {
    told.push(args);
  });
  return told;
}

describe('guardedLogger', () => {
  it('passes on what is said, to the method that it is said to', () => {
    const said: string[] = [];
    const logger = guardedLogger({
      info: (line) => void said.push(`info ${line}`),
      warn: (line) => void said.push(`warn ${line}`),
    });
    logger.info('a');
    logger.warn('b');
    expect(said).toEqual(['info a', 'warn b']);
  });

  it('tells once, by a warning of the process, that the logger throws', () => {
    const told = warnings();
    const logger = guardedLogger({
      info() {
        throw new Error('disk full');
      },
      warn() {
        throw new Error('disk full');
      },
    });
    logger.info('a');
    logger.warn('b');
    expect(told).toEqual([['the logger has thrown: disk full', 'EvenkeelWarning']]);
  });

  it('tells the same of one that rejects', async () => {
    const told = warnings();
    const logger = guardedLogger({
      info: () => Promise.reject('a text') as unknown as undefined,
      warn: () => Promise.resolve() as unknown as undefined,
    });
    logger.info('a');
    logger.warn('b');
    await Promise.resolve();
    await Promise.resolve();
    expect(told).toEqual([['the logger has thrown: a text', 'EvenkeelWarning']]);
  });
});

describe('silentLogger', () => {
  it('says nothing', () => {
    expect(silentLogger.info('a')).toBeUndefined();
    expect(silentLogger.warn('a')).toBeUndefined();
  });
});

describe('warnOfHook', () => {
  it('names what has thrown', () => {
    const told = warnings();
    warnOfHook('onRetry', new TypeError('x is undefined'));
    expect(told).toEqual([['onRetry has thrown: x is undefined', 'EvenkeelWarning']]);
  });
});
