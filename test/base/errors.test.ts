import { describe, expect, it } from 'vitest';
import { asError, BalancerError, type BalancerErrorCode, Status } from '../../src/base/errors.js';

describe('BalancerError', () => {
  it.each<[BalancerErrorCode, number]>([
    ['QUEUE_FULL', Status.RESOURCE_EXHAUSTED],
    ['NO_ENDPOINTS', Status.DEADLINE_EXCEEDED],
    ['DEADLINE', Status.DEADLINE_EXCEEDED],
    ['ABORTED', Status.CANCELLED],
    ['CLOSED', Status.UNAVAILABLE],
    ['PICKER_FAILED', Status.INTERNAL],
    ['KEY_TAKEN', Status.ALREADY_EXISTS],
    ['PICK_USED', Status.FAILED_PRECONDITION],
    ['INVALID_OPTION', Status.INVALID_ARGUMENT],
  ])('fails a call that %s with status %d', (code, status) => {
    expect(new BalancerError(code, 'why')).toMatchObject({
      name: 'BalancerError',
      code,
      status,
      message: 'why',
    });
  });

  it('keeps its cause', () => {
    const cause = new Error('deeper');
    expect(new BalancerError('CLOSED', 'why', { cause }).cause).toBe(cause);
  });
});

describe('asError', () => {
  it('gives back an error, and makes one of anything else', () => {
    const error = new TypeError('x');
    expect(asError(error)).toBe(error);
    expect(asError('text')).toEqual(new Error('text'));
    expect(asError(undefined).message).toBe('undefined');
  });
});
