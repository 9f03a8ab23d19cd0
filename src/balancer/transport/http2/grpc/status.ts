import { Status } from '../../../../base/errors.js';
import { ErrorCode } from '../frames/protocol.js';

/** A status without its metadata. */
export interface Verdict {
  readonly code: number;
  readonly details: string;
}

/**
 * What an HTTP status means where there is no gRPC status (grpc/grpc, doc/http-grpc-status-mapping.md), in grpc-js's words.
 */
export function httpStatus(status: string): Verdict {
  return { code: codeOfHttp(status), details: `Received HTTP status code ${status}` };
}

function codeOfHttp(status: string): number {
  switch (status) {
    case '400':
      return Status.INTERNAL;
    case '401':
      return Status.UNAUTHENTICATED;
    case '403':
      return Status.PERMISSION_DENIED;
    case '404':
      return Status.UNIMPLEMENTED;
    case '429':
    case '502':
    case '503':
    case '504':
      return Status.UNAVAILABLE;
    default:
      return Status.UNKNOWN;
  }
}

/** What RST_STREAM means (PROTOCOL-HTTP2.md, "HTTP2 Transport Mapping"), in grpc-js's words. */
export function resetStatus(code: number): Verdict {
  switch (code) {
    case ErrorCode.NO_ERROR:
      return internal(code, ' (Call ended without gRPC status)');
    case ErrorCode.REFUSED_STREAM:
      return { code: Status.UNAVAILABLE, details: 'Stream refused by server' };
    case ErrorCode.CANCEL:
      return { code: Status.CANCELLED, details: 'Call cancelled' };
    case ErrorCode.ENHANCE_YOUR_CALM:
      return { code: Status.RESOURCE_EXHAUSTED, details: 'Bandwidth exhausted or memory limit exceeded' };
    case ErrorCode.INADEQUATE_SECURITY:
      return { code: Status.PERMISSION_DENIED, details: 'Protocol not secure enough' };
    case ErrorCode.INTERNAL_ERROR:
      return internal(code, ' (Internal server error)');
    default:
      return internal(code, '');
  }
}

function internal(code: number, more: string): Verdict {
  return { code: Status.INTERNAL, details: `Received RST_STREAM with code ${code}${more}` };
}

/** The value of `grpc-status`. A code that no table knows stays what it is, as grpc-js and grpc-go have it. */
export function statusCode(text: string): number {
  return /^\d{1,3}$/.test(text) ? Number(text) : Status.UNKNOWN;
}

/**
 * The value of `grpc-message`, decoded (PROTOCOL-HTTP2.md, "Percent-Byte-Encoded"): what is not in the code stays as it is,
 * and bytes that are no UTF-8 become replacement characters.
 */
export function statusMessage(text: string): string {
  if (!text.includes('%')) return text;
  const bytes = Buffer.from(text, 'latin1');
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const high = bytes[at] === 0x25 ? hexDigit(bytes[at + 1]) : -1;
    const low = high === -1 ? -1 : hexDigit(bytes[at + 2]);
    if (low === -1) bytes[length++] = bytes[at]!;
    else {
      bytes[length++] = high * 16 + low;
      at += 2;
    }
  }
  return bytes.toString('utf8', 0, length);
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const upper = byte & ~0x20;
  return upper >= 0x41 && upper <= 0x46 ? upper - 0x37 : -1;
}
