import { BalancerError } from '../base/errors.js';
import type { RegistrationState } from './registry.js';

/** The state of one registration, and those who listen to it. */
export class RegistrationStates {
  #current: RegistrationState = { kind: 'registering' };
  readonly #listeners = new Set<(state: RegistrationState) => void>();

  get current(): RegistrationState {
    return this.#current;
  }

  set(state: RegistrationState): void {
    this.#current = state;
    for (const listener of [...this.#listeners]) listener(state);
  }

  async *follow(signal?: AbortSignal): AsyncGenerator<RegistrationState, void, undefined> {
    const unread: RegistrationState[] = [this.#current];
    let wake = () => {};
    const hear = (state: RegistrationState) => {
      unread.push(state);
      wake();
    };
    const end = () => wake();
    this.#listeners.add(hear);
    signal?.addEventListener('abort', end, { once: true });
    try {
      while (!signal?.aborted) {
        const state = unread.shift();
        if (state === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        yield state;
        if (state.kind === 'closed') return;
      }
    } finally {
      this.#listeners.delete(hear);
      signal?.removeEventListener('abort', end);
    }
  }

  async registered(id: string, signal?: AbortSignal): Promise<void> {
    for await (const state of this.follow(signal)) {
      if (state.kind === 'registered') return;
      if (state.kind === 'closed') {
        throw new BalancerError('CLOSED', `the registration of ${id} was closed before it was registered`);
      }
    }
    throw new BalancerError('ABORTED', `gave up waiting for ${id} to be registered`, {
      cause: signal?.reason,
    });
  }
}
