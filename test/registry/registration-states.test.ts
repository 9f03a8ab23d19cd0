import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { RegistrationStates } from '../../src/registry/registration-states.js';
import { settle } from '../../src/testing/index.js';

/** What a listener hears, until the end. */
function listen(states: RegistrationStates, signal?: AbortSignal) {
  const heard: string[] = [];
  const ended = (async () => {
    for await (const { kind } of states.follow(signal)) heard.push(kind);
    heard.push('end');
  })();
  return { heard, ended };
}

describe('RegistrationStates', () => {
  it('tells every state from the present one on, to the end after closed', async () => {
    const states = new RegistrationStates();
    expect(states.current).toEqual({ kind: 'registering' });
    const early = listen(states);
    await settle();
    states.set({ kind: 'registered' });
    states.set({ kind: 'lost', cause: new Error('gone') });
    const late = listen(states);
    await settle();
    states.set({ kind: 'closed' });
    await Promise.all([early.ended, late.ended]);
    expect(early.heard).toEqual(['registering', 'registered', 'lost', 'closed', 'end']);
    expect(late.heard).toEqual(['lost', 'closed', 'end']);
    expect(states.current).toEqual({ kind: 'closed' });
  });

  it('ends for a signal, and leaves nothing on it', async () => {
    const states = new RegistrationStates();
    const stop = new AbortController();
    const listener = listen(states, stop.signal);
    await settle();
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
    stop.abort();
    await listener.ended;
    expect(listener.heard).toEqual(['registering', 'end']);
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
    const never = listen(states, stop.signal);
    await never.ended;
    expect(never.heard).toEqual(['end']);
  });

  it('leaves nothing on a signal that lives longer', async () => {
    const states = new RegistrationStates();
    const { signal } = new AbortController();
    for await (const _ of states.follow(signal)) break;
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('resolves once registered, however often it was lost before', async () => {
    const states = new RegistrationStates();
    const waiting = states.registered('/p/s/a:1');
    states.set({ kind: 'registering', cause: new Error('away') });
    states.set({ kind: 'registered' });
    await waiting;
    await states.registered('/p/s/a:1');
  });

  it('rejects when closed, or when the caller gives up', async () => {
    const states = new RegistrationStates();
    const stop = new AbortController();
    const aborted = states.registered('/p/s/a:1', stop.signal);
    const closed = states.registered('/p/s/a:1');
    await settle();
    stop.abort('enough');
    await expect(aborted).rejects.toMatchObject({
      code: 'ABORTED',
      message: 'gave up waiting for /p/s/a:1 to be registered',
      cause: 'enough',
    });
    states.set({ kind: 'closed' });
    await expect(closed).rejects.toMatchObject({
      code: 'CLOSED',
      message: 'the registration of /p/s/a:1 was closed before it was registered',
    });
  });
});
