/** A call that a server handles, as grpc-js gives it to a handler. */
export interface ParentCall {
  readonly cancelled: boolean;
  getDeadline(): Date | number;
  on(event: 'cancelled', listener: () => void): unknown;
  off(event: 'cancelled', listener: () => void): unknown;
}

/**
 * What cancels calls from outside: abort signals, and the calls of a server under which others are made. However many
 * calls are bound to one of them, it gets one listener, which goes with the last of them: Node warns of a leak when an
 * emitter has more than ten.
 */
export class Cancellations {
  readonly #bySource = new WeakMap<object, Bound>();

  /** Calls `cancel` when the signal aborts; returns what undoes that. */
  onAbort(signal: AbortSignal, cancel: () => void): () => void {
    const bound = this.#bySource.get(signal) ?? this.#add(signal, new BoundToSignal(signal));
    return this.#join(signal, bound, cancel);
  }

  /** Calls `cancel` when the parent is cancelled; returns what undoes that. */
  onParentCancelled(parent: ParentCall, cancel: () => void): () => void {
    const bound = this.#bySource.get(parent) ?? this.#add(parent, new BoundToParent(parent));
    return this.#join(parent, bound, cancel);
  }

  #add(source: object, bound: Bound): Bound {
    this.#bySource.set(source, bound);
    bound.listen();
    return bound;
  }

  #join(source: object, bound: Bound, cancel: () => void): () => void {
    // Of its own identity, so that one function may be given twice.
    const member = () => cancel();
    bound.members.add(member);
    return () => {
      if (!bound.members.delete(member) || bound.members.size > 0) return;
      bound.unlisten();
      this.#bySource.delete(source);
    };
  }
}

/** What one source cancels. */
abstract class Bound {
  readonly members = new Set<() => void>();
  protected readonly heard = () => {
    for (const cancel of [...this.members]) cancel();
  };

  abstract listen(): void;
  abstract unlisten(): void;
}

class BoundToSignal extends Bound {
  constructor(private readonly signal: AbortSignal) {
    super();
  }

  listen(): void {
    this.signal.addEventListener('abort', this.heard);
  }

  unlisten(): void {
    this.signal.removeEventListener('abort', this.heard);
  }
}

class BoundToParent extends Bound {
  constructor(private readonly parent: ParentCall) {
    super();
  }

  listen(): void {
    this.parent.on('cancelled', this.heard);
  }

  unlisten(): void {
    this.parent.off('cancelled', this.heard);
  }
}
