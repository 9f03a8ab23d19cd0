import { describe, expect, it } from 'vitest';
import { type EtcdAuth, Token } from '../../../src/registry/etcd/token.js';

const auth: EtcdAuth = { username: 'root', password: 'secret' };

/** Answers when it is told to. */
function askedByHand() {
  const asked: { auth: EtcdAuth; answer: (token: string) => void; fail: (error: Error) => void }[] = [];
  const fetch = (of: EtcdAuth) =>
    new Promise<string>((answer, fail) => {
      asked.push({ auth: of, answer, fail });
    });
  return { asked, fetch };
}

describe('Token', () => {
  it('asks nobody where there is no user', async () => {
    const { asked, fetch } = askedByHand();
    const token = new Token(undefined);
    await token.obtain(fetch);
    expect(asked).toHaveLength(0);
    expect(token.value).toBeUndefined();
    expect(token.refused('invalid auth token', undefined)).toBe(false);
  });

  it('is asked for once, however many want it, and kept', async () => {
    const { asked, fetch } = askedByHand();
    const token = new Token(auth);
    expect(token.value).toBeUndefined();
    const wanting = [token.obtain(fetch), token.obtain(fetch)];
    expect(asked.map((one) => one.auth)).toEqual([auth]);
    asked[0]!.answer('first');
    await Promise.all(wanting);
    expect(token.value).toBe('first');
    await token.obtain(fetch);
    expect(asked).toHaveLength(1);
  });

  it('takes an empty one for an answer: etcd wants none', async () => {
    const { asked, fetch } = askedByHand();
    const token = new Token(auth);
    const wanting = token.obtain(fetch);
    asked[0]!.answer('');
    await wanting;
    await token.obtain(fetch);
    expect(token.value).toBe('');
    expect(asked).toHaveLength(1);
  });

  it('is asked for again after a failure, which all who waited hear of', async () => {
    const { asked, fetch } = askedByHand();
    const token = new Token(auth);
    const wanting = [token.obtain(fetch), token.obtain(fetch)];
    asked[0]!.fail(new Error('no leader'));
    for (const each of wanting) await expect(each).rejects.toThrow('no leader');
    expect(token.value).toBeUndefined();
    const again = token.obtain(fetch);
    expect(asked).toHaveLength(2);
    asked[1]!.answer('second');
    await again;
    expect(token.value).toBe('second');
  });

  it.each([
    'etcdserver: invalid auth token',
    'etcdserver: revision of auth store is old',
    'etcdserver: user name is empty',
  ])('is forgotten when etcd says %j, and asked for anew', async (details) => {
    const { asked, fetch } = askedByHand();
    const token = new Token(auth);
    const wanting = token.obtain(fetch);
    asked[0]!.answer('old');
    await wanting;
    expect(token.refused(details, 'old')).toBe(true);
    expect(token.value).toBeUndefined();
    void token.obtain(fetch);
    expect(asked).toHaveLength(2);
  });

  it('is kept for any other answer', async () => {
    const token = new Token(auth);
    await token.obtain(async () => 'good');
    expect(token.refused('etcdserver: permission denied', 'good')).toBe(false);
    expect(token.refused('', 'good')).toBe(false);
    expect(token.value).toBe('good');
  });

  it('is not forgotten for a call that was made with an older one', async () => {
    const token = new Token(auth);
    await token.obtain(async () => 'newer');
    expect(token.refused('invalid auth token', 'older')).toBe(true);
    expect(token.value).toBe('newer');
  });
});
