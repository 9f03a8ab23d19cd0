import { isIPv4 } from 'node:net';
import { joinHostPort } from '../../../../base/endpoint.js';
import type { Target } from './target.js';

/** A proxy that speaks HTTP CONNECT (RFC 9110, section 9.3.6). */
export interface HttpProxy {
  readonly host: string;
  readonly port: number;
  /** `user:password`, where it wants to know. */
  readonly credentials: string | undefined;
}

/** An answer that has not ended after so many bytes is none. */
const LONGEST_ANSWER = 16 * 1_024;

/**
 * The proxy that the environment names for a target, by the rules of grpc-js: `grpc_proxy`, `https_proxy`, `http_proxy`, the
 * first that there is; none for hosts that `no_grpc_proxy` or `no_proxy` name by suffix, address or CIDR.
 *
 * @throws Error when the variable is set to what is no `http:` URL: to go around a proxy is not for us to decide.
 */
export function proxyFor(target: Target, env: NodeJS.ProcessEnv): HttpProxy | undefined {
  if (target.kind === 'unix') return undefined;
  const name = ['grpc_proxy', 'https_proxy', 'http_proxy'].find((one) => env[one]);
  if (name === undefined || exempt(target.host, env.no_grpc_proxy || env.no_proxy || '')) return undefined;
  const url = URL.canParse(env[name]!) ? new URL(env[name]!) : undefined;
  if (url?.protocol !== 'http:')
    throw new Error(`the environment variable ${name} is no http: URL; set no_proxy to go without`);
  const user = decodeURIComponent(url.username);
  const credentials = url.password === '' ? user : `${user}:${decodeURIComponent(url.password)}`;
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 80 : Number(url.port),
    credentials: credentials === '' ? undefined : credentials,
  };
}

function exempt(host: string, list: string): boolean {
  const entries = list.split(',').map((entry) => entry.trim());
  return entries.some((entry) => entry !== '' && (host.endsWith(entry) || inCidr(host, entry)));
}

function inCidr(host: string, text: string): boolean {
  const [network, length, ...more] = text.split('/');
  if (more.length > 0 || !isIPv4(host) || !isIPv4(network!) || !/^\d{1,2}$/.test(length ?? '')) return false;
  const bits = 32 - Number(length);
  return bits >= 0 && Math.floor(number(host) / 2 ** bits) === Math.floor(number(network!) / 2 ** bits);
}

function number(ip: string): number {
  return ip.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

/** What a client asks the proxy for. */
export function connectRequest(host: string, port: number, { credentials }: HttpProxy): string {
  const authority = joinHostPort(host, port);
  const secret = credentials === undefined ? '' : Buffer.from(credentials).toString('base64');
  const authorization = secret === '' ? '' : `Proxy-Authorization: Basic ${secret}\r\n`;
  return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`;
}

/** Reads the proxy's answer, which may come in pieces. */
export class ConnectAnswer {
  #bytes: Buffer = Buffer.alloc(0);

  /**
   * @returns what came after the answer, once that is whole and good; undefined before.
   * @throws Error when it is not good.
   */
  add(chunk: Buffer): Buffer | undefined {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const end = this.#bytes.indexOf('\r\n\r\n');
    if (end === -1) {
      if (this.#bytes.length > LONGEST_ANSWER)
        throw new Error('the proxy answers, and does not come to an end');
      return undefined;
    }
    const line = this.#bytes.toString('latin1', 0, this.#bytes.indexOf('\r\n'));
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1];
    if (status !== '200')
      throw new Error(`the proxy answers ${JSON.stringify(line.slice(0, 80))} to CONNECT`);
    return this.#bytes.subarray(end + 4);
  }
}
