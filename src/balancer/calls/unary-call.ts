import type { Metadata } from '@grpc/grpc-js';
import { asError, Status } from '../../base/errors.js';
import type { WireCall } from '../transport/transport.js';
import { PickedCall } from './call.js';
import {
  type CallHost,
  type CallInit,
  type CallStatus,
  noResponse,
  ownStatus,
  tooManyResponses,
} from './call-host.js';
import { callHook } from './hooks.js';

/** One request, one response. The object is everything that there is of the call. */
export class UnaryCall<Response> extends PickedCall {
  status: CallStatus | undefined = undefined;
  response: Response | undefined = undefined;
  #responded = false;
  /** What is wrong on this side, which the wire was told to end for. */
  #fault: CallStatus | undefined = undefined;
  #done: (() => void) | undefined = undefined;

  constructor(
    host: CallHost,
    init: CallInit,
    private readonly request: Buffer,
    private readonly deserialize: (bytes: Buffer) => Response,
    private readonly onMetadata: ((metadata: Metadata) => void) | undefined,
  ) {
    super(host, init);
  }

  /** Starts the call, and resolves when there is a {@link status}. */
  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#done = resolve;
      this.begin();
    });
  }

  protected hearHeaders(headers: () => Metadata): void {
    if (this.onMetadata === undefined) return;
    const fault = callHook('onMetadata', this.onMetadata, headers(), this);
    if (fault !== undefined) this.#fail(fault);
  }

  onMessage(bytes: Buffer): void {
    this.messageCame();
    if (this.#responded) {
      this.#fail(tooManyResponses());
      return;
    }
    this.#responded = true;
    try {
      this.response = this.runInAsyncScope(this.deserialize, undefined, bytes);
    } catch (thrown) {
      this.#fail(
        ownStatus(Status.INTERNAL, `Response message parsing error: ${asError(thrown).message}`, thrown),
      );
      return;
    }
    // There is no other; but should there be one, nobody else would ask for it, and the end stands behind it.
    this.wire!.startRead();
  }

  protected sendAll(wire: WireCall): void {
    wire.startRead();
    wire.sendMessage(this.request);
    wire.halfClose();
  }

  protected sendable(): boolean {
    return true;
  }

  get unary(): boolean {
    return true;
  }

  protected deliver(status: CallStatus): void {
    this.status =
      this.#fault ?? (status.code === Status.OK && !this.#responded ? noResponse(status) : status);
    this.#done?.();
  }

  #fail(fault: CallStatus): void {
    this.#fault ??= fault;
    this.cancelWithStatus(fault.code, fault.details);
  }
}
