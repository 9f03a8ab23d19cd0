import { RemovalGuard, type RemovalGuardOptions } from './removal-guard.js';
import type { Row } from './row.js';

/**
 * What becomes of rows that are announced no more: they drain, and where the guard is on, their connections are kept for
 * its window, so that a removal that turns out to be one of too many can be taken back.
 */
export class Removals<L> {
  /** Removed rows whose calls run, or which may be taken back. */
  readonly draining = new Set<Row<L>>();
  #guard: RemovalGuard | undefined;

  constructor(
    guard: RemovalGuardOptions | undefined,
    private readonly drainTimeoutMs: number,
  ) {
    this.#guard = guard && new RemovalGuard(guard);
  }

  /** How long a row is kept that is announced no more while its connection holds, in milliseconds. */
  get graceMs(): number {
    return this.#guard?.options.graceMs ?? 0;
  }

  /** At the end of a batch, so many rows are announced. True when too many have gone to believe it. */
  tooMany(announced: number, now: number): boolean {
    return this.#guard?.counted(announced, now) === true;
  }

  /** Everything that goes is gone from now on. */
  believe(): void {
    this.#guard = undefined;
  }

  /** The row drains. Returns in how many milliseconds it is to be looked at; undefined: nothing holds it. */
  drain(row: Row<L>, connected: boolean, now: number): number | undefined {
    const keptMs = this.#keptMs(connected, now);
    if (row.pending === 0 && keptMs === 0) return undefined;
    this.draining.add(row);
    return row.pending === 0 ? keptMs : this.drainTimeoutMs;
  }

  /** What a draining row has still left, in milliseconds: of the guard's window without calls, else of its time to drain. */
  leftMs(row: Row<L>, now: number): number {
    const { state } = row;
    if (state.kind !== 'draining') return 0;
    const givenMs = row.pending > 0 ? this.drainTimeoutMs : this.#keptMs(state.connected, now);
    return state.since + givenMs - now;
  }

  /** Whether a draining row can be taken back: it has its connection, and was removed within the guard's window. */
  canRestore({ state }: Row<L>, now: number): boolean {
    if (state.kind !== 'draining' || !state.connected) return false;
    return this.#keptMs(true, now) >= now - state.since;
  }

  /** How long the connection of a removed row is kept without calls, for the guard to bring it back. */
  #keptMs(connected: boolean, now: number): number {
    return connected && this.#guard?.guards(now) ? this.#guard.options.windowMs : 0;
  }
}
