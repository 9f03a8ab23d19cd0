import { describe, expect, it } from 'vitest';
import { Token } from '../../../src/registry/etcd/token.js';

const auth = { username: 'root', password: 'secret' };
const REFUSED = 'etcdserver: invalid auth token';

describe('Token', () => {
  it('is fetched once, however many want it, and again once it was refused', async () => {
    const token = new Token(auth);
    let fetched = 0;
    const fetch = async () => `t${++fetched}`;
    await Promise.all([token.obtain(fetch), token.obtain(fetch), token.obtain(fetch)]);
    expect([token.value, fetched]).toEqual(['t1', 1]);
    expect(token.refused(REFUSED, 't1')).toBe(true);
    expect(token.value).toBeUndefined();
    await token.obtain(fetch);
    expect(token.value).toBe('t2');
  });

  it('is not forgotten when an older one is refused late', async () => {
    const token = new Token(auth);
    await token.obtain(async () => 'new');
    expect(token.refused(REFUSED, 'old')).toBe(true);
    expect(token.value).toBe('new');
  });

  it('stays after any other failure, and is wanted after each refusal that etcd knows', async () => {
    const token = new Token(auth);
    await token.obtain(async () => 't');
    expect(token.refused('etcdserver: permission denied', 't')).toBe(false);
    expect(token.value).toBe('t');
    for (const refusal of [REFUSED, 'revision of auth store is old', 'etcdserver: user name is empty']) {
      await token.obtain(async () => 't');
      expect(token.refused(refusal, 't')).toBe(true);
      expect(token.value).toBeUndefined();
    }
  });

  it('is asked for again after an attempt that failed', async () => {
    const token = new Token(auth);
    await expect(token.obtain(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
    await token.obtain(async () => 't');
    expect(token.value).toBe('t');
  });

  it('is nothing without a user, and the user is no part of an error', async () => {
    const token = new Token(undefined);
    await token.obtain(() => expect.unreachable());
    expect(token.refused(REFUSED, undefined)).toBe(false);
    const wrong = () => new Token({ username: 'root', password: 7 as unknown as string });
    expect(wrong).toThrow('`auth` of etcd is not a username and a password, both strings');
  });
});
