import {
  CallCredentials,
  type ChannelInterface,
  type InterceptingListener,
  Metadata,
  type StatusObject,
} from '@grpc/grpc-js';
import { asError, Status } from '../../../base/errors.js';
import { type GrpcJsCall, NO_COMPRESS } from '../../../base/grpc-js/call.js';
import type { CallListener, CallStart, WireCall, WireStatus } from '../transport.js';
import { cancelOnceUnderWay } from './cancel.js';
import { GuardedCredentials } from './guarded-credentials.js';
import { reachedBy } from './reached.js';

/** Of a message that is sent like any. grpc-js reads it, and writes nothing to it. */
const PLAIN = Object.freeze({});

/** A call of grpc-js's behind the port: beside it, one object, which is its listener, too. */
export class GrpcCall implements WireCall, InterceptingListener {
  #call: GrpcJsCall | undefined;
  /** How a call ends that could not be started. */
  #unstarted: WireStatus | undefined;
  #answered = false;

  constructor(
    channel: ChannelInterface,
    private readonly target: string,
    start: CallStart,
    /** In milliseconds since the epoch; undefined when it has passed. */
    deadline: number | undefined,
    /** The connection has credentials that add to the metadata of every call. */
    asksForMore: boolean,
    private readonly listener: CallListener,
  ) {
    if (deadline === undefined) {
      this.#endUnsent(Status.DEADLINE_EXCEEDED, 'Deadline exceeded before the call was sent');
      return;
    }
    try {
      const call = channel.createCall(start.path, deadline, start.authority, null, null);
      const { credentials, metadata } = start;
      if (credentials !== undefined || asksForMore) {
        call.setCredentials(new GuardedCredentials(credentials ?? CallCredentials.createEmpty(), metadata));
      }
      this.#call = call;
      call.start(metadata, this);
    } catch (thrown) {
      // The channel has been shut.
      this.#call = undefined;
      this.#endUnsent(Status.UNAVAILABLE, asError(thrown).message);
    }
  }

  sendMessage(bytes: Buffer, onWritten?: () => void, compress = true): void {
    if (onWritten === undefined && compress) {
      this.#call?.sendMessageWithContext(PLAIN, bytes);
      return;
    }
    this.#call?.sendMessageWithContext(
      { ...(onWritten && { callback: onWritten }), ...(!compress && { flags: NO_COMPRESS }) },
      bytes,
    );
  }

  halfClose(): void {
    this.#call?.halfClose();
  }

  startRead(): void {
    this.#call?.startRead();
  }

  cancel(code: number, details: string): void {
    const call = this.#call;
    if (call === undefined) {
      this.#unstarted = unsent(code, details);
      return;
    }
    void cancelOnceUnderWay(call, this.target, () => call.cancelWithStatus(code, details));
  }

  get peer(): string | undefined {
    const peer = this.#call?.getPeer();
    return peer === this.target ? undefined : peer;
  }

  get authContext(): ReturnType<GrpcJsCall['getAuthContext']> | undefined {
    return this.#call?.getAuthContext();
  }

  onReceiveMetadata(headers: Metadata): void {
    this.#answered = true;
    this.listener.onHeaders(() => headers);
  }

  onReceiveMessage(message: Buffer): void {
    this.#answered = true;
    this.listener.onMessage(message);
  }

  onReceiveStatus(status: StatusObject): void {
    const { code, details, metadata } = saneStatus(status);
    const reached =
      code === Status.OK ? 'maybe' : reachedBy(status, this.#call!.getPeer() !== this.target, this.#answered);
    this.listener.onStatus({ code, details, metadata, reached });
  }

  /** Later, and as cancelled when it is cancelled until then. */
  #endUnsent(code: number, details: string): void {
    this.#unstarted = unsent(code, details);
    queueMicrotask(() => this.listener.onStatus(this.#unstarted!));
  }
}

function unsent(code: number, details: string): WireStatus {
  return { code, details, metadata: new Metadata(), reached: 'never' };
}

/**
 * What grpc-js cannot read of a response it throws inside, a compressed message without an encoding say, and takes the
 * error for a status.
 */
function saneStatus(status: StatusObject): StatusObject {
  if (Number.isInteger(status.code) && typeof status.details === 'string') return status;
  const {
    code = Status.INTERNAL,
    details = 'the response cannot be read',
    metadata = new Metadata(),
  } = status;
  return { code: Number.isInteger(code) ? code : Status.INTERNAL, details, metadata };
}
