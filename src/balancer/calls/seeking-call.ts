import { AsyncResource } from 'node:async_hooks';
import { FOR_EVER_MS } from '../../base/clock.js';
import { asBalancerError, type BalancerError, Status } from '../../base/errors.js';
import type { Linked } from '../../base/linked-list.js';
import type { Request } from '../core/dispatcher.js';
import type { Row } from '../table/row.js';
import { refuseUnsendable } from '../transport/sendable.js';
import {
  type CallHost,
  type CallInit,
  type CallStatus,
  type Connected,
  NO_METADATA,
  ownStatus,
} from './call-host.js';

/**
 * Where a call is. A call that succeeds at once has no data of its own for its states: what it holds while it is open is
 * in the call itself.
 */
export type State =
  | { readonly kind: 'new' }
  /** On a row, over its connection. */
  | { readonly kind: 'open' }
  /** In the queue, for a row with room. */
  | { readonly kind: 'waiting'; readonly stopTimers: () => void }
  /** Out of the queue, until another attempt is due. */
  | { readonly kind: 'backing-off'; readonly stopTimers: () => void }
  /** Nothing comes any more. The status has been delivered, or is about to be. */
  | { readonly kind: 'over' };

const NEW: State = { kind: 'new' };
export const OPEN: State = { kind: 'open' };
export const OVER: State = { kind: 'over' };

/**
 * How a call comes to a row: by a pick, by waiting for one in the queue, or after a back-off, until it is over. What it does
 * on a row is its subclass's ({@link open}).
 *
 * It is the request to the dispatcher, the member of the wait queue, and the async context of whoever made the call, in
 * which all that is the user's runs, whatever event it is that brings the call on.
 */
export abstract class SeekingCall extends AsyncResource implements Request<Connected> {
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
  arrival = 0;
  now = 0;
  readonly key: string | undefined;
  readonly group: string | undefined;
  exclude: ReadonlySet<Row<Connected>> | undefined;
  readonly expiresAt: number;
  enteredAt = 0;

  protected state: State = NEW;

  constructor(
    protected readonly host: CallHost,
    protected readonly init: CallInit,
  ) {
    super('EvenkeelCall');
    this.key = init.key;
    this.group = init.group;
    this.exclude = init.beside;
    this.expiresAt = init.expiresAt;
  }

  /** Goes on a row that has been counted for it. In the call's own context. */
  protected abstract open(row: Row<Connected>): void;
  /** How the call ended. Once, and never from within the turn in which it was begun or cancelled. */
  protected abstract deliver(status: CallStatus): void;
  /** Its time is over while it waits. */
  protected abstract expired(cause: BalancerError): void;

  /** Nothing more comes of it. */
  get over(): boolean {
    return this.state === OVER;
  }

  granted(row: Row<Connected>): void {
    this.stopWaiting();
    this.runInAsyncScope(this.open, this, row);
  }

  refused(error: BalancerError): void {
    if (this.state !== OVER) this.fail(error.status, error.message, error);
  }

  /** Sets out, in the turn of whoever makes the call. */
  protected begin(): void {
    // Cancelled before it was begun.
    if (this.state === OVER) return;
    const { host, init } = this;
    this.arrival = host.arrive();
    this.enteredAt = host.clock.now();
    // What stubs make of nothing can be sent.
    if (init.metadata !== NO_METADATA || init.authority !== undefined) {
      try {
        refuseUnsendable(init);
      } catch (thrown) {
        this.refused(asBalancerError(thrown));
        return;
      }
    }
    if (this.expiresAt <= this.enteredAt) {
      this.fail(Status.DEADLINE_EXCEEDED, 'Deadline exceeded before the call was sent', undefined);
    } else {
      host.budget.called(this.enteredAt);
      this.acquire();
    }
  }

  /** Goes on a row with room, or waits for one. */
  protected acquire(): void {
    const row = this.tryPick();
    if (row !== undefined) {
      this.open(row);
    } else if (this.state === OVER) {
      // The pool refused it.
    } else if (this.init.beside !== undefined) {
      this.fail(Status.UNAVAILABLE, 'no other endpoint has room', undefined);
    } else {
      this.wait();
    }
  }

  /** A row with room, counted; undefined also when the pool refuses the call, which is over then. */
  protected tryPick(): Row<Connected> | undefined {
    try {
      return this.host.tryPick(this);
    } catch (thrown) {
      this.refused(asBalancerError(thrown));
      return undefined;
    }
  }

  private wait(): void {
    try {
      this.host.wait(this);
    } catch (thrown) {
      this.refused(asBalancerError(thrown));
      return;
    }
    this.state = { kind: 'waiting', stopTimers: this.expireAtDeadline() };
  }

  /** Whether one that has refused it has room. */
  protected couldBePicked(): boolean {
    const { exclude } = this;
    this.exclude = undefined;
    try {
      return this.host.couldPick(this);
    } catch {
      // It will be thrown again where it is to be handled.
      return false;
    } finally {
      this.exclude = exclude;
    }
  }

  protected backOff(ms: number): void {
    const stopExpiry = this.expireAtDeadline();
    const stopBackOff = this.host.clock.after(ms, () => this.runInAsyncScope(this.tryAgain, this));
    this.host.backingOff.add(this);
    this.state = {
      kind: 'backing-off',
      stopTimers: () => {
        stopExpiry();
        stopBackOff();
      },
    };
  }

  /** On a subchannel that has not failed the call, if there is one with room; on any other else. */
  private tryAgain(): void {
    this.stopWaiting();
    const row = this.tryPick();
    if (row !== undefined) {
      this.open(row);
    } else if (this.state !== OVER) {
      this.exclude = this.init.beside;
      this.acquire();
    }
  }

  private expireAtDeadline(): () => void {
    const { clock } = this.host;
    // Without a deadline, too: whoever waits for a server keeps the process alive.
    return clock.after(Math.min(this.expiresAt - clock.now(), FOR_EVER_MS), () => {
      this.expired(this.host.explain(clock.now() - this.enteredAt));
    });
  }

  /** It waits for nothing any more. Harmless when it does not. */
  private stopWaiting(): void {
    const { state } = this;
    if (state.kind === 'waiting' || state.kind === 'backing-off') state.stopTimers();
    if (state.kind === 'backing-off') this.host.backingOff.delete(this);
  }

  /** Ends a call that is on no row. */
  protected fail(code: number, details: string, cause: unknown): void {
    this.stopWaiting();
    this.state = OVER;
    queueMicrotask(() => this.deliver(ownStatus(code, details, cause)));
  }
}
