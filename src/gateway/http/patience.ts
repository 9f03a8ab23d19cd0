import type { Clock } from '../../base/clock.js';
import { Status } from '../../base/errors.js';
import { RequestError } from '../base/request-error.js';

/**
 * How long a client is waited for, whose turn it is, before its place is given to another. Without it, a client that sends no
 * message of its stream, or reads none of ours, would hold its place for ever.
 */
export class Patience {
  #since: number;

  /** @param ms - how long it may do nothing, in milliseconds. */
  constructor(
    private readonly clock: Clock,
    readonly ms: number,
  ) {
    this.#since = clock.now();
  }

  /** The client has sent something, or read something. */
  heard(): void {
    this.#since = this.clock.now();
  }

  /**
   * What the client sends next.
   *
   * @throws RequestError 408 when nothing is heard of it meanwhile.
   */
  with<T>(next: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = this.wait(() => {
        const message = `nothing came from the client for ${this.ms} ms`;
        reject(new RequestError(408, Status.DEADLINE_EXCEEDED, message));
      });
      next.then(
        (value) => {
          stop();
          resolve(value);
        },
        (error) => {
          stop();
          reject(error);
        },
      );
    });
  }

  /**
   * It is the client's turn from now on.
   *
   * @param over - called when nothing is heard of it for so long.
   * @returns that it is no longer.
   */
  wait(over: () => void): () => void {
    this.heard();
    let cancel: () => void;
    const look = (ms: number) => {
      cancel = this.clock.after(ms, () => {
        const left = this.#since + this.ms - this.clock.now();
        if (left > 0) look(left);
        else over();
      });
    };
    look(this.ms);
    return () => cancel();
  }
}
