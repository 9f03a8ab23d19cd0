import type { CallCredentials } from '@grpc/grpc-js';
import type { Clock } from '../../../../base/clock.js';
import type { Session } from '../session/session.js';
import type { Http2Call } from './call.js';
import type { Compression } from './compression.js';
import type { RequestFields } from './request-fields.js';

/** What a call needs of the connection that it was started on. */
export interface CallHome {
  readonly clock: Clock;
  /** What `:authority` says, where the call says nothing. */
  readonly authority: string;
  /** Of every call on the connection. */
  readonly credentials: CallCredentials | undefined;
  /** The longest messages, in bytes. */
  readonly maxSend: number;
  readonly maxReceive: number;
  readonly compression: Compression;
  /** The call is ready to be sent: it boards a line now or later, or is turned away. */
  enter(call: Http2Call): void;
  /** It is over, and had not boarded. */
  leave(call: Http2Call): void;
}

/** A line to the server: what a call is sent on. */
export interface Line {
  readonly session: Session;
  readonly fields: RequestFields;
  /** The address at the other end. */
  readonly peer: string;
  /** What TLS knows of the server, as grpc-js has it. */
  readonly authContext: object;
}
