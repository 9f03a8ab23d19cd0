import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { type ConnectionOptions, checkServerIdentity, type TLSSocket } from 'node:tls';
import type { TlsOptions } from '../options.js';
import type { Target } from './target.js';

/** Sessions that are remembered, to be resumed. */
const MOST_SESSIONS = 1_000;

/** Sessions of TLS by address and options: whoever connects again with other certificates does not resume what was. */
export class TlsSessions {
  readonly #sessions = new Map<string, Buffer>();

  get(key: string): Buffer | undefined {
    return this.#sessions.get(key);
  }

  put(key: string, session: Buffer): void {
    // The newest is last, the oldest goes first.
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    if (this.#sessions.size > MOST_SESSIONS) this.#sessions.delete(this.#sessions.keys().next().value!);
  }

  /** One that did not work is not tried again. */
  drop(key: string): void {
    this.#sessions.delete(key);
  }
}

/** What `tls.connect` is given, beside where to. */
export function connectionOptions(
  target: Target,
  options: TlsOptions,
  targetName: string | undefined,
): ConnectionOptions {
  const { servername, ...others } = options;
  const name = servername ?? targetName ?? (target.kind === 'unix' ? 'localhost' : target.host);
  const check = options.checkServerIdentity ?? checkServerIdentity;
  return {
    ...others,
    ALPNProtocols: ['h2'],
    // Names that are addresses are not sent (RFC 6066, section 3), but checked all the same.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_, certificate) => check(name, certificate),
  };
}

/**
 * What makes a session another's: undefined when it cannot be told, and nothing is resumed. The name belongs to it: a session
 * that is resumed shows no certificate that it could be looked for in.
 */
export function sessionKey(
  address: string,
  options: TlsOptions,
  targetName: string | undefined,
): string | undefined {
  if (options.secureContext !== undefined || options.checkServerIdentity !== undefined) return undefined;
  const hash = createHash('sha256');
  hash.update(
    JSON.stringify([address, targetName, options], (_, value) => {
      const bytes = value as { type?: unknown; data?: unknown };
      return bytes?.type === 'Buffer' ? Buffer.from(bytes.data as number[]).toString('base64') : value;
    }),
  );
  return hash.digest('base64');
}

/** Why a connection that TLS holds for good is none for us; undefined when it is one. */
export function alpnFault(socket: TLSSocket): string | undefined {
  if (socket.alpnProtocol === 'h2') return undefined;
  return `the server does not speak HTTP/2 over TLS: by ALPN it chose ${socket.alpnProtocol || 'nothing'}`;
}

/** The same words that TLS has, and what to do where they leave that open. */
export function tlsFault(error: Error): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' || message.includes('no application protocol'))
    return `the server does not speak HTTP/2 over TLS: it refuses ALPN h2 (${message})`;
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || message.includes('wrong version number'))
    return `the server does not speak TLS (${message})`;
  return message;
}
