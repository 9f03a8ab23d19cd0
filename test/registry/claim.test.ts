import { describe, expect, it } from 'vitest';
import { judge } from '../../src/registry/claim.js';

const claim = (more = {}) => ({ lease: '5', former: new Set(['3', '4']), mayTakeUpTo: 0n, ...more });

describe('judge', () => {
  it('puts a key that is not there, if it is still not there', () => {
    expect(judge(undefined, claim())).toEqual({ kind: 'put', ifRevision: 0n });
  });

  it('does nothing about a key on its own lease', () => {
    expect(judge({ lease: '5', revision: 9n }, claim())).toEqual({ kind: 'held' });
  });

  it('moves a key from a lease that it had before', () => {
    expect(judge({ lease: '3', revision: 9n }, claim())).toEqual({ kind: 'put', ifRevision: 9n });
  });

  it('takes over a key that was there before it began, and no later one', () => {
    const beginning = claim({ mayTakeUpTo: 9n });
    expect(judge({ lease: '7', revision: 9n }, beginning)).toEqual({ kind: 'put', ifRevision: 9n });
    expect(judge({ lease: '7', revision: 10n }, beginning)).toEqual({ kind: 'taken' });
  });

  it('takes over none once it has held the key, not even at a low revision of a new store', () => {
    expect(judge({ lease: '7', revision: 1n }, claim())).toEqual({ kind: 'taken' });
    expect(judge({ lease: '0', revision: 1n }, claim())).toEqual({ kind: 'taken' });
  });
});
