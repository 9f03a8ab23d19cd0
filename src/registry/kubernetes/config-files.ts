import { readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { asError, BalancerError } from '../../base/errors.js';
import { type ClusterConfig, IN_CLUSTER, inClusterConfig, type Material } from './cluster.js';
import { type KubeconfigFile, kubeconfigCluster } from './kubeconfig.js';

/** A kubeconfig is larger than this by mistake only. */
const MAX_BYTES = 4 * 1024 * 1024;

export interface ConfigOptions {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly token?: ClusterConfig['token'];
}

/**
 * Where the API server is: of `kubeconfig` where that is given, else of the cluster that this pod is in, else of
 * `$KUBECONFIG` or `~/.kube/config`.
 *
 * @throws BalancerError INVALID_OPTION, naming what is missing.
 */
export function findCluster({ kubeconfig, context, token }: ConfigOptions): ClusterConfig {
  const inCluster =
    kubeconfig === undefined && context === undefined ? inClusterConfig(process.env) : undefined;
  if (inCluster !== undefined) {
    const namespace = inCluster.namespace ?? readOr(`${IN_CLUSTER}/namespace`);
    return { ...inCluster, namespace, token: token ?? inCluster.token };
  }
  const paths = kubeconfig === undefined ? defaultPaths() : [kubeconfig];
  const files = paths.filter((path) => paths.length === 1 || exists(path)).map(readKubeconfig);
  if (files.length === 0) throw new BalancerError('INVALID_OPTION', `none of ${paths.join(', ')} is a file`);
  return kubeconfigCluster(files, context, token);
}

/** What a material holds now. */
export async function read(material: Material): Promise<Buffer> {
  return material.kind === 'inline' ? material.value : readFile(material.path);
}

function defaultPaths(): string[] {
  const { KUBECONFIG } = process.env;
  const listed = (KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '');
  return listed.length > 0 ? listed : [join(homedir(), '.kube', 'config')];
}

function readKubeconfig(path: string): KubeconfigFile {
  const invalid = (what: string, cause?: unknown) =>
    new BalancerError('INVALID_OPTION', `kubeconfig ${path}: ${what}`, { cause });
  let content: string;
  try {
    if (statSync(path).size > MAX_BYTES) throw invalid(`it is larger than ${MAX_BYTES} bytes`);
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof BalancerError) throw error;
    throw invalid(
      `${(error as { code?: string }).code ?? asError(error).message}; outside of a cluster one is needed`,
    );
  }
  return { path, directory: dirname(path), content: parse(content, invalid) };
}

/** JSON is YAML. For all other YAML there is the package `yaml`, where it is installed. */
function parse(content: string, invalid: (what: string, cause?: unknown) => BalancerError): unknown {
  if (content.trimStart().startsWith('{')) {
    try {
      return JSON.parse(content);
    } catch {
      // YAML may begin so, too.
    }
  }
  let yaml: { parse(text: string): unknown };
  try {
    yaml = createRequire(import.meta.url)('yaml');
  } catch (error) {
    throw invalid(
      'it is YAML, for which the package yaml is needed (npm install yaml); or write it as JSON: kubectl config view --raw --flatten -o json',
      error,
    );
  }
  try {
    return yaml.parse(content);
  } catch {
    // What a parser says may quote the line, and the line may hold a token.
    throw invalid('it is not YAML');
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function readOr(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
