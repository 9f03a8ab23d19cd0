// A real kube-apiserver on free loopback ports, over a real etcd, where there is a binary: $KUBE_APISERVER, or PATH.
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { endWithUs } from './children.js';
import { findProgram, isProgram } from './debian.js';
import { type EtcdProcess, startEtcd } from './etcd.js';
import { freePorts } from './free-ports.js';
import type { SliceInit } from './kube-api.js';

/** How long it may take until it is ready, in milliseconds. */
const START_MS = 90_000;

/**
 * The binary; undefined where there is none.
 *
 * @throws Error in one line when $KUBE_APISERVER names no program.
 */
export function findKubeApiserver(): string | undefined {
  const { KUBE_APISERVER } = process.env;
  if (!KUBE_APISERVER) return findProgram('kube-apiserver');
  if (isProgram(KUBE_APISERVER)) return KUBE_APISERVER;
  throw new Error(`KUBE_APISERVER is ${KUBE_APISERVER}, which is not a program`);
}

export interface KubeStartOptions {
  /** More arguments, such as `--watch-cache=false`. */
  readonly args?: readonly string[];
  readonly signal?: AbortSignal;
}

export class KubeApiserver implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'evenkeel-apiserver-'));
  readonly port: number;
  readonly etcd: EtcdProcess;
  readonly #binary: string;
  readonly #options: KubeStartOptions;
  readonly #admin = randomUUID();
  #tokens: readonly string[] = [];
  #child: ChildProcess | undefined;
  #said = '';
  readonly #cleanUp = () => {
    this.#child?.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  };

  private constructor(binary: string, port: number, etcd: EtcdProcess, options: KubeStartOptions) {
    this.#binary = binary;
    this.port = port;
    this.etcd = etcd;
    this.#options = options;
    const { privateKey, publicKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    writeFileSync(join(this.directory, 'sa.key'), privateKey);
    writeFileSync(join(this.directory, 'sa.pub'), publicKey);
    process.on('exit', this.#cleanUp);
  }

  /** @throws Error when there is no binary, or it does not get ready. */
  static async start(options: KubeStartOptions = {}): Promise<KubeApiserver> {
    const binary = findKubeApiserver();
    if (binary === undefined) throw new Error('no kube-apiserver: set KUBE_APISERVER to its path');
    const etcd = await startEtcd(options.signal === undefined ? {} : { signal: options.signal });
    const [port] = (await freePorts(1)) as [number];
    const server = new KubeApiserver(binary, port, etcd, options);
    try {
      server.tokens = [randomUUID()];
      await server.start();
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  /** Whom it knows, beside its administrator, from its next start on: each may do all that is needed here. */
  set tokens(tokens: readonly string[]) {
    this.#tokens = tokens;
    const users = [
      `${this.#admin},admin,1,"system:masters"`,
      ...tokens.map((token, i) => `${token},user${i},${i + 2},"system:masters"`),
      `nobody-${this.#admin},nobody,1000,"nobodies"`,
    ];
    writeFileSync(join(this.directory, 'tokens.csv'), `${users.join('\n')}\n`);
  }

  get tokens(): readonly string[] {
    return this.#tokens;
  }

  /** Of a user who may do nothing. */
  get powerless(): string {
    return `nobody-${this.#admin}`;
  }

  get #certificate(): string {
    return join(this.directory, 'certs', 'apiserver.crt');
  }

  /** Starts, or starts again over the same etcd. Resolves when it is ready. */
  async start(): Promise<void> {
    this.#spawn();
    const until = performance.now() + START_MS;
    while (performance.now() < until && this.#child !== undefined) {
      if (await this.ready()) return;
      await delay(20, undefined, { signal: this.#options.signal });
    }
    throw new Error(`kube-apiserver is not ready: ${this.#said.trim().split('\n').slice(-3).join(' / ')}`);
  }

  /** Whether it answers, and all of it is up. */
  async ready(): Promise<boolean> {
    return this.#request('GET', '/readyz').then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  /** Resolves when the process is gone. etcd stays. */
  async stop(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    if (signal !== 'SIGKILL') child.kill('SIGCONT');
    await gone;
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** A kubeconfig for it, at this port of whatever stands before it. */
  kubeconfig(port = this.port, user: Record<string, unknown> = { token: this.#tokens[0] }): string {
    const path = join(this.directory, `config-${randomUUID()}`);
    const cluster = { server: `https://127.0.0.1:${port}`, 'certificate-authority': this.#certificate };
    writeFileSync(
      path,
      JSON.stringify({
        'current-context': 'test',
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'default' } }],
        clusters: [{ name: 'test', cluster }],
        users: [{ name: 'test', user }],
      }),
    );
    return path;
  }

  /** Puts a slice, or replaces it. */
  async put({ name, service, addressType = 'IPv4', ...slice }: SliceInit): Promise<void> {
    const body = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, labels: { 'kubernetes.io/service-name': service } },
      addressType,
      ports: [{ name: 'grpc', port: 50051, protocol: 'TCP' }],
      endpoints: [],
      ...slice,
    };
    const replaced = await this.#request('PUT', `${SLICES}/${name}`, body);
    // An update of what is not there.
    const answer = replaced.status === 404 ? await this.#request('POST', SLICES, body) : replaced;
    if (answer.status !== 200 && answer.status !== 201)
      throw new Error(`put ${name}: ${answer.status} ${answer.body}`);
  }

  async remove(name: string): Promise<void> {
    const { status, body } = await this.#request('DELETE', `${SLICES}/${name}`);
    if (status !== 200 && status !== 404) throw new Error(`remove ${name}: ${status} ${body}`);
  }

  /** Creates what a manifest holds, in the namespace `default`. */
  async apply(yaml: string): Promise<void> {
    for (const document of parseAllDocuments(yaml)) {
      const object = document.toJS() as { apiVersion: string; kind: string };
      const root = object.apiVersion === 'v1' ? '/api/v1' : `/apis/${object.apiVersion}`;
      const path = `${root}/namespaces/default/${object.kind.toLowerCase()}s`;
      const { status, body } = await this.#request('POST', path, object);
      if (status !== 201) throw new Error(`create ${object.kind}: ${status} ${body}`);
    }
  }

  /** A token of a service account. */
  async tokenOf(account: string): Promise<string> {
    const path = `/api/v1/namespaces/default/serviceaccounts/${account}/token`;
    const { status, body } = await this.#request('POST', path, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {},
    });
    if (status !== 201) throw new Error(`token of ${account}: ${status} ${body}`);
    return (JSON.parse(body) as { status: { token: string } }).status.token;
  }

  async close(): Promise<void> {
    await this.stop();
    process.off('exit', this.#cleanUp);
    this.#cleanUp();
    await this.etcd.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #spawn(): void {
    const at = (name: string) => join(this.directory, name);
    this.#said = '';
    const child = endWithUs(
      spawn(
        this.#binary,
        [
          `--etcd-servers=${this.etcd.url}`,
          '--bind-address=127.0.0.1',
          '--advertise-address=127.0.0.1',
          '--endpoint-reconciler-type=none',
          `--secure-port=${this.port}`,
          `--cert-dir=${at('certs')}`,
          '--service-account-issuer=https://kubernetes.default.svc',
          `--service-account-key-file=${at('sa.pub')}`,
          `--service-account-signing-key-file=${at('sa.key')}`,
          `--token-auth-file=${at('tokens.csv')}`,
          '--authorization-mode=RBAC',
          '--service-cluster-ip-range=10.0.0.0/24',
          '--disable-admission-plugins=ServiceAccount',
          ...(this.#options.args ?? []),
        ],
        { stdio: ['ignore', 'ignore', 'pipe'] },
      ),
    );
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-4_000);
    });
    child.once('error', (error) => {
      this.#said += error.message;
      if (this.#child === child) this.#child = undefined;
    });
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
  }

  /** As its administrator. */
  #request(method: string, path: string, body?: unknown): Promise<{ status: number; body: string }> {
    if (!existsSync(this.#certificate)) return Promise.reject(new Error('it has no certificate yet'));
    return new Promise((resolve, reject) => {
      const call = request(
        {
          host: '127.0.0.1',
          port: this.port,
          path,
          method,
          agent: false,
          timeout: 5_000,
          ca: readFileSync(this.#certificate),
          headers: { authorization: `Bearer ${this.#admin}`, 'content-type': 'application/json' },
        },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text })).on('error', reject);
        },
      );
      call.on('timeout', () => call.destroy(new Error('no answer within 5 s'))).on('error', reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

const SLICES = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
