import type { Registry, RegistryEvent } from '../../src/registry/registry.js';

/** A registry that tells what the test tells it, and fails or ends when the test wants it to. */
export class ScriptedRegistry implements Registry {
  readonly watches: ScriptedWatch[] = [];
  /** What `watch` throws. */
  refuses: Error | undefined;
  /** The services of which it was told that they may be out of date. */
  readonly refreshed: string[] = [];
  /** What `refresh` returns, or throws. */
  refreshes: () => unknown = () => undefined;

  /** @param deaf - it does not hear of its signal: a generator that is stuck in an await. */
  constructor(private readonly deaf = false) {}

  watch(service: string, signal: AbortSignal): ScriptedWatch {
    if (this.refuses !== undefined) throw this.refuses;
    const watch = new ScriptedWatch(service, signal);
    if (!this.deaf) watch.endOnAbort();
    this.watches.push(watch);
    return watch;
  }

  refresh(service: string): unknown {
    this.refreshed.push(service);
    return this.refreshes();
  }

  /** The newest watch. */
  get current(): ScriptedWatch {
    const watch = this.watches.at(-1);
    if (watch === undefined) throw new Error('nobody watches');
    return watch;
  }
}

export class ScriptedWatch implements AsyncIterableIterator<RegistryEvent> {
  /** Whoever iterates it has let go of it. */
  returned = false;
  #events: RegistryEvent[] = [];
  #end: { readonly error: Error | undefined } | undefined;
  readonly #aborted = () => this.end();
  #waiting: { resolve: (r: IteratorResult<RegistryEvent>) => void; reject: (e: Error) => void } | undefined;

  constructor(
    readonly service: string,
    readonly signal: AbortSignal,
  ) {}

  tell(event: RegistryEvent): this {
    this.#events.push(event);
    this.#move();
    return this;
  }

  endOnAbort(): void {
    this.signal.addEventListener('abort', this.#aborted, { once: true });
  }

  end(): void {
    this.signal.removeEventListener('abort', this.#aborted);
    this.#end ??= { error: undefined };
    this.#move();
  }

  fail(error: Error): void {
    this.signal.removeEventListener('abort', this.#aborted);
    this.#end ??= { error };
    this.#move();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<RegistryEvent>> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#move();
    });
  }

  return(): Promise<IteratorResult<RegistryEvent>> {
    this.returned = true;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  #move(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const event = this.#events.shift();
    if (event === undefined && this.#end === undefined) return;
    this.#waiting = undefined;
    if (event !== undefined) waiting.resolve({ done: false, value: event });
    else if (this.#end?.error !== undefined) waiting.reject(this.#end.error);
    else waiting.resolve({ done: true, value: undefined });
  }
}
