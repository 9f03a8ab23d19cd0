import type { Metadata } from '@grpc/grpc-js';
import { Status } from '../../base/errors.js';
import type { HedgeOptions } from '../core/retry-options.js';
import type { CallHost, CallInit, CallStatus, PolicyHost } from './call-host.js';
import { callHook } from './hooks.js';
import { UnaryCall } from './unary-call.js';

/**
 * A unary call that is made a second time, elsewhere, when its response is late (Dean and Barroso, "The tail at scale",
 * 2013). The first good answer wins and the other attempt is cancelled; a bad one counts when there is no other. The
 * second attempt goes at once or not at all, and is within the pool's retry budget.
 */
export class HedgedCall<Response> {
  readonly #first: UnaryCall<Response>;
  #second: UnaryCall<Response> | undefined;
  /** Headers are told when it is known whose they are to be. */
  readonly #headers = new Map<UnaryCall<Response>, Metadata>();

  /** What the hook for the headers threw. */
  fault: CallStatus | undefined;

  constructor(
    private readonly host: CallHost & PolicyHost,
    private readonly init: CallInit,
    private readonly request: Buffer,
    private readonly deserialize: (bytes: Buffer) => Response,
    private readonly onMetadata: ((metadata: Metadata) => void) | undefined,
    private readonly options: HedgeOptions,
  ) {
    this.#first = this.#attempt(init);
  }

  cancelWithStatus(code: number, details: string): void {
    this.#first.cancelWithStatus(code, details);
    this.#second?.cancelWithStatus(code, details);
  }

  /** Resolves with the attempt that counts, which has ended. */
  async run(): Promise<UnaryCall<Response>> {
    const counts = await this.#race();
    const headers = this.#headers.get(counts);
    if (headers !== undefined && this.onMetadata !== undefined) {
      this.fault = callHook('onMetadata', this.onMetadata, headers);
    }
    return counts;
  }

  #race(): Promise<UnaryCall<Response>> {
    const { host, options } = this;
    const delayMs = typeof options.delayMs === 'number' ? options.delayMs : host.p95();
    return new Promise((resolve) => {
      let running = 1;
      const ended = (attempt: UnaryCall<Response>) => {
        running--;
        const good = attempt.status!.code === Status.OK;
        if (!good && running > 0) return;
        cancelTimer();
        const other = attempt === this.#first ? this.#second : this.#first;
        other?.cancelWithStatus(Status.CANCELLED, 'Another attempt has answered');
        resolve(good ? attempt : this.#first);
      };
      const cancelTimer = host.clock.after(delayMs ?? Number.POSITIVE_INFINITY, () => {
        const second = this.#besideFirst();
        if (second === undefined) return;
        this.#second = second;
        running++;
        void second.run().then(() => ended(second));
      });
      void this.#first.run().then(() => ended(this.#first));
    });
  }

  /** The second attempt, when the first is with a server and the budget allows another. */
  #besideFirst(): UnaryCall<Response> | undefined {
    const { host, init } = this;
    const row = this.#first.pickedRow;
    if (row === undefined || this.#first.over || !host.budget.tryRetry(host.clock.now())) return undefined;
    return this.#attempt({ ...init, policy: { ...init.policy, retry: undefined }, beside: new Set([row]) });
  }

  #attempt(init: CallInit): UnaryCall<Response> {
    const attempt = new UnaryCall(this.host, init, this.request, this.deserialize, (headers) => {
      this.#headers.set(attempt, headers);
    });
    return attempt;
  }
}
