import { isAbsolute, join } from 'node:path';
import { BalancerError } from '../../base/errors.js';
import type { ClusterConfig, Material } from './cluster.js';

type Json = Readonly<Record<string, unknown>>;

/** A kubeconfig file, parsed. */
export interface KubeconfigFile {
  /** For messages. */
  readonly path: string;
  /** What relative paths in it are relative to. */
  readonly directory: string;
  readonly content: unknown;
}

/** What a user of a kubeconfig may have that is not done here, and what is to be done instead. */
const UNSUPPORTED_USER: Readonly<Record<string, string>> = {
  exec: 'an exec plugin, which is not run; give `token`, a function that does',
  'auth-provider': 'an auth-provider, which Kubernetes itself gave up in 1.26; give `token`',
  username: 'a password, which Kubernetes itself gave up in 1.19; use a token or a certificate',
  as: 'impersonation, which is not done; use an account that may list EndpointSlices itself',
};

/**
 * The cluster of a context, by default of the current one, out of kubeconfig files; of a thing that several of them have,
 * the first counts (kubernetes.io, "Organizing Cluster Access Using kubeconfig Files").
 *
 * @param given - a token that the user gives, in place of what the file says of its user.
 * @throws BalancerError INVALID_OPTION, naming the file and what is wrong; never a secret.
 */
export function kubeconfigCluster(
  files: readonly KubeconfigFile[],
  contextName: string | undefined,
  given?: ClusterConfig['token'],
): ClusterConfig {
  const where = files.map(({ path }) => path).join(', ');
  const invalid = (what: string) => new BalancerError('INVALID_OPTION', `kubeconfig ${where}: ${what}`);
  const contents = files.map(({ content }) => asObject(content));
  const current = contextName ?? contents.map((content) => text(content['current-context'])).find(isText);
  if (current === undefined) throw invalid('it has no current-context; give `context`');
  const named = (list: string, name: string | undefined, key: string) => {
    for (const [i, content] of contents.entries()) {
      for (const entry of asArray(content[list]).map(asObject)) {
        if (name !== undefined && entry.name === name) {
          return { entry: asObject(entry[key]), directory: files[i]!.directory };
        }
      }
    }
    return undefined;
  };
  const context = named('contexts', current, 'context')?.entry;
  if (context === undefined) throw invalid(`it has no context ${JSON.stringify(current)}`);
  const cluster = named('clusters', text(context.cluster), 'cluster');
  if (cluster === undefined) throw invalid(`it has no cluster ${JSON.stringify(context.cluster)}`);
  const user = named('users', text(context.user), 'user');
  if (user === undefined && isText(context.user))
    throw invalid(`it has no user ${JSON.stringify(context.user)}`);
  for (const [key, why] of Object.entries(UNSUPPORTED_USER)) {
    if (given === undefined && user !== undefined && present(user.entry[key])) {
      throw invalid(`user ${JSON.stringify(context.user)} has ${why}`);
    }
  }
  if (present(cluster.entry['proxy-url']))
    throw invalid('its cluster has a proxy-url, which is not supported');

  const ofCluster = materials(cluster, invalid);
  const ofUser = materials(user ?? { entry: {}, directory: '' }, invalid);
  const token = text(user?.entry.token);
  return {
    server: serverOf(cluster.entry.server, invalid),
    namespace: text(context.namespace),
    ca: ofCluster('certificate-authority'),
    cert: ofUser('client-certificate'),
    key: ofUser('client-key'),
    token:
      given ?? (token === undefined ? ofUser('tokenFile') : { kind: 'inline', value: Buffer.from(token) }),
    serverName: text(cluster.entry['tls-server-name']),
    insecure: cluster.entry['insecure-skip-tls-verify'] === true,
  };
}

/** Of a thing that is inline as `name-data`, or in a file. */
function materials(
  { entry, directory }: { readonly entry: Json; readonly directory: string },
  invalid: (what: string) => BalancerError,
): (name: string) => Material | undefined {
  return (name) => {
    const data = entry[`${name}-data`];
    if (present(data)) {
      if (!isText(data) || !/^[A-Za-z0-9+/=\s]+$/.test(data)) throw invalid(`its ${name}-data is not base64`);
      return { kind: 'inline', value: Buffer.from(data, 'base64') };
    }
    const path = entry[name];
    if (!present(path)) return undefined;
    if (!isText(path)) throw invalid(`its ${name} is not a path`);
    return { kind: 'file', path: isAbsolute(path) ? path : join(directory, path) };
  };
}

function serverOf(server: unknown, invalid: (what: string) => BalancerError): URL {
  const url = isText(server) && URL.canParse(server) ? new URL(server) : undefined;
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url;
  throw invalid(`the server of its cluster, ${JSON.stringify(server)}, is no URL of http or https`);
}

function present(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function text(value: unknown): string | undefined {
  return isText(value) ? value : undefined;
}

function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
