/** An HTTP proxy that grpc-js goes through, as it reads it from the environment. */
export interface ProxySetting {
  /** `host:port`, without the credentials that it may have. */
  readonly address: string;
  /** Which variable says so. */
  readonly variable: string;
}

/** grpc-js 1.14's own order (http_proxy.ts, getProxyInfo). */
const VARIABLES = ['grpc_proxy', 'https_proxy', 'http_proxy'] as const;

/** The proxy that the environment names, whether or not an address goes through it. */
export function proxySetting(env: Readonly<Record<string, string | undefined>>): ProxySetting | undefined {
  const variable = VARIABLES.find((name) => env[name]);
  if (variable === undefined || !URL.canParse(env[variable]!)) return undefined;
  const { protocol, hostname, port } = new URL(env[variable]!);
  return protocol === 'http:' ? { address: `${hostname}:${port === '' ? '80' : port}`, variable } : undefined;
}

/**
 * Why a connection failed, in grpc-js's words, with the proxy named where it is the proxy that failed: of one that does
 * not open a tunnel grpc-js says `Last error: undefined`.
 */
export function nameProxy(why: string, proxy: ProxySetting | undefined): string {
  if (proxy === undefined) return why;
  const { address, variable } = proxy;
  if (why.includes('Last error: undefined')) {
    const failed = `the proxy ${address} (${variable}) opened no tunnel; no_proxy names what is to be reached without it`;
    return why.replace('Last error: undefined', failed);
  }
  return why.includes(address) ? `${why} (the proxy that ${variable} names)` : why;
}
