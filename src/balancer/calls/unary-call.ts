import { Metadata } from '@grpc/grpc-js';
import { asError, Status } from '../../base/errors.js';
import type { WireCall } from '../transport/transport.js';
import { PickedCall } from './call.js';
import { type CallHost, type CallInit, type CallStatus, noResponse } from './call-host.js';

/** One request, one response. The object is everything that there is of the call. */
export class UnaryCall<Response> extends PickedCall {
  status: CallStatus | undefined = undefined;
  response: Response | undefined = undefined;
  #responded = false;
  #fault: CallStatus | undefined = undefined;
  #done: (() => void) | undefined = undefined;

  constructor(
    host: CallHost,
    init: CallInit,
    private readonly request: Buffer,
    private readonly deserialize: (bytes: Buffer) => Response,
    private readonly hearHeaders: ((metadata: Metadata) => void) | undefined,
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

  protected headersCame(headers: Metadata): void {
    this.hearHeaders?.(headers);
  }

  onMessage(bytes: Buffer): void {
    this.messageCame();
    if (this.#responded) {
      this.#fail(Status.UNIMPLEMENTED, 'Too many responses received');
      return;
    }
    this.#responded = true;
    try {
      this.response = this.deserialize(bytes);
    } catch (thrown) {
      this.#fail(Status.INTERNAL, `Response message parsing error: ${asError(thrown).message}`);
    }
  }

  protected replay(wire: WireCall): void {
    wire.startRead();
    wire.sendMessage(this.request);
    wire.halfClose();
  }

  protected override closed(): void {
    // A response without a good end to it: the next attempt brings its own.
    this.#responded = false;
    this.response = undefined;
  }

  protected replayable(): boolean {
    return true;
  }

  get unary(): boolean {
    return true;
  }

  protected settle(status: CallStatus): void {
    this.status =
      this.#fault ?? (status.code === Status.OK && !this.#responded ? noResponse(status) : status);
    this.#done?.();
  }

  #fail(code: number, details: string): void {
    this.#fault = { code, details, metadata: new Metadata() };
    this.cancelWithStatus(code, details);
  }
}
