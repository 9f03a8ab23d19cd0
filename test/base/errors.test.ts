import { describe, expect, it } from 'vitest';
import {
  asBalancerError,
  asError,
  BalancerError,
  type BalancerErrorCode,
  Status,
} from '../../src/base/errors.js';

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

describe('asBalancerError', () => {
  it('gives back what is one, and calls anything else a mistake of ours', () => {
    const error = new BalancerError('CLOSED', 'why');
    expect(asBalancerError(error)).toBe(error);
    const mistake = new TypeError('x is undefined');
    expect(asBalancerError(mistake)).toMatchObject({
      ...{ code: 'INTERNAL', status: Status.INTERNAL, message: 'x is undefined', cause: mistake },
    });
    expect(asBalancerError('text')).toMatchObject({ code: 'INTERNAL', cause: new Error('text') });
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
