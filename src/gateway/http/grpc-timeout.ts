import type { IncomingMessage } from 'node:http';
import { badRequest } from '../base/request-error.js';

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * The time that `Grpc-Timeout` gives a request, in milliseconds; undefined without that header. Its form is that of
 * gRPC over HTTP/2: at most eight digits, and a unit.
 *
 * @throws RequestError 400 for any other.
 */
export function timeoutOf({ headers }: IncomingMessage): number | undefined {
  const text = headers['grpc-timeout'];
  if (text === undefined) return undefined;
  const match = TIMEOUT.exec(String(text));
  if (match === null) throw badRequest(`invalid grpc-timeout: ${String(text)}`);
  return Number(match[1]) * UNIT_MS[match[2]!]!;
}
