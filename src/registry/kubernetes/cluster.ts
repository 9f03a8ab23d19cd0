/** Something that is in a file, or is written here. */
export type Material =
  | { readonly kind: 'inline'; readonly value: Buffer }
  | { readonly kind: 'file'; readonly path: string };

/** Where an API server is, and as whom to speak to it. Files are read when they are needed: they change. */
export interface ClusterConfig {
  /** `https://host:port`, or `http://` without TLS. */
  readonly server: URL;
  /** The namespace that is meant when none is said. */
  readonly namespace: string | undefined;
  readonly ca: Material | undefined;
  readonly cert: Material | undefined;
  readonly key: Material | undefined;
  readonly token: Material | (() => string | Promise<string>) | undefined;
  /** The name that the server's certificate must hold, where it is not the host of `server`. */
  readonly serverName: string | undefined;
  /** Takes any certificate. */
  readonly insecure: boolean;
}

/** Where a pod finds what it needs (kubernetes.io, "Accessing the Kubernetes API from a Pod"). */
export const IN_CLUSTER = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The configuration of a pod: the API server by environment, the files of its service account. The token is read anew for
 * every request, as the kubelet replaces it within the hour.
 *
 * @returns undefined outside of a cluster.
 */
export function inClusterConfig(
  env: Readonly<Record<string, string | undefined>>,
  directory = IN_CLUSTER,
): ClusterConfig | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (!host) return undefined;
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    namespace: undefined,
    ca: { kind: 'file', path: `${directory}/ca.crt` },
    cert: undefined,
    key: undefined,
    token: { kind: 'file', path: `${directory}/token` },
    serverName: undefined,
    insecure: false,
  };
}
