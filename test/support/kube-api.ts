// A scripted API server of Kubernetes, of EndpointSlices alone: lists, watches and faults as the real one has them, and
// some that only others have. HTTP/2 and HTTP/1.1 over TLS, or HTTP/1.1 alone.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { Server as NetServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SliceInit {
  readonly name: string;
  readonly service: string;
  readonly namespace?: string;
  readonly addressType?: string;
  readonly ports?: unknown;
  readonly endpoints?: unknown;
}

interface Stored extends SliceInit {
  readonly revision: number;
}

interface Watcher {
  readonly selector: string;
  readonly namespace: string;
  readonly response: Http2ServerResponse;
}

/** What a test answers a request with, in place of the server; undefined: the server answers. */
export type Script = (
  url: URL,
  response: Http2ServerResponse,
  request: Http2ServerRequest,
) => 'done' | undefined;

const tls = (name: string) => readFileSync(`test/fixtures/tls/${name}.pem`);

export class KubeApi implements AsyncDisposable {
  /** All requests, in order: `list`, `list continue=...`, `watch`. */
  readonly requests: string[] = [];
  readonly queries: URLSearchParams[] = [];
  /** The versions of HTTP that were spoken. */
  readonly versions = new Set<string>();
  token = 'good';
  script: Script = () => undefined;
  /** In place of what a client asks for: sooner ends of watches. In seconds. */
  watchSeconds: number | undefined;
  /** Revisions up to this are forgotten. */
  compacted = 0;
  readonly directory = mkdtempSync(join(tmpdir(), 'evenkeel-kube-'));
  readonly #server: NetServer;
  readonly #secure: boolean;
  readonly #slices = new Map<string, Stored>();
  readonly #events: { revision: number; type: string; slice: Stored }[] = [];
  readonly #watchers = new Set<Watcher>();
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #revision = 100;
  port = 0;

  private constructor(protocol: 'h2' | 'https' | 'http') {
    const listener = (request: Http2ServerRequest, response: Http2ServerResponse) =>
      this.#answer(request, response);
    this.#secure = protocol !== 'http';
    if (protocol === 'http') {
      this.#server = createServer(listener as never);
    } else {
      const server = createSecureServer(
        { cert: tls('server'), key: tls('server-key'), allowHTTP1: true },
        listener,
      );
      if (protocol === 'https')
        (server as unknown as { ALPNProtocols: Buffer }).ALPNProtocols = Buffer.from('\x08http/1.1');
      server.on('session', (session) => {
        this.#sessions.add(session);
        session.on('close', () => this.#sessions.delete(session)).on('error', () => {});
      });
      this.#server = server;
    }
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket)).on('error', () => {});
    });
  }

  static async start(protocol: 'h2' | 'https' | 'http' = 'h2'): Promise<KubeApi> {
    const api = new KubeApi(protocol);
    await api.listen();
    return api;
  }

  listen(port = this.port): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(port, '127.0.0.1', () => {
        this.port = (this.#server.address() as { port: number }).port;
        resolve();
      });
    });
  }

  get revision(): number {
    return this.#revision;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** A kubeconfig for it, at this port. */
  kubeconfig(port = this.port, user: Record<string, unknown> = { token: this.token }): string {
    const path = join(this.directory, `config-${port}`);
    const server = `${this.#secure ? 'https' : 'http'}://127.0.0.1:${port}`;
    writeFileSync(join(this.directory, 'ca.pem'), tls('ca'));
    writeFileSync(
      path,
      JSON.stringify({
        'current-context': 'test',
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'default' } }],
        clusters: [{ name: 'test', cluster: { server, 'certificate-authority': 'ca.pem' } }],
        users: [{ name: 'test', user }],
      }),
    );
    return path;
  }

  put(slice: SliceInit): void {
    const key = `${slice.namespace ?? 'default'}/${slice.name}`;
    const type = this.#slices.has(key) ? 'MODIFIED' : 'ADDED';
    const stored = { ...slice, revision: ++this.#revision };
    this.#slices.set(key, stored);
    this.#tell(type, stored);
  }

  remove(name: string, namespace = 'default'): void {
    const key = `${namespace}/${name}`;
    const slice = this.#slices.get(key);
    if (slice === undefined) return;
    this.#slices.delete(key);
    this.#tell('DELETED', { ...slice, revision: ++this.#revision });
  }

  /** Writes this to every open watch. */
  send(text: string): void {
    for (const { response } of this.#watchers) response.write(text);
  }

  /** A bookmark of now. */
  bookmark(): void {
    this.send(line('BOOKMARK', bookmark(this.#revision)));
  }

  /** Ends every watch in good order. */
  endWatches(): void {
    for (const { response } of this.#watchers) response.end();
  }

  /** Resets every connection. */
  cut(): void {
    for (const socket of [...this.#sockets]) socket.destroy();
  }

  /** Tells every client to go elsewhere, as a server does that is to be stopped. */
  goAway(): void {
    for (const session of this.#sessions) session.goaway(0);
  }

  /** Is not there until it listens again. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  get watching(): number {
    return this.#watchers.size;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#server.listening) await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #answer(request: Http2ServerRequest, response: Http2ServerResponse): void {
    const url = new URL(request.url, 'http://kube');
    const { searchParams: query } = url;
    const watch = query.get('watch') === '1';
    const from = query.get('continue');
    this.requests.push(watch ? 'watch' : from === null ? 'list' : `list continue=${from}`);
    this.queries.push(query);
    this.versions.add(request.httpVersion);
    response.on('error', () => {});
    if (this.script(url, response, request) === 'done') return;
    if (request.headers.authorization !== `Bearer ${this.token}`) {
      refuse(response, 401, 'Unauthorized');
      return;
    }
    const [, namespace] =
      /^\/apis\/discovery\.k8s\.io\/v1\/namespaces\/([^/]+)\/endpointslices$/.exec(url.pathname) ?? [];
    const selector = query.get('labelSelector') ?? '';
    if (namespace === undefined) refuse(response, 404, 'the server could not find the requested resource');
    else if (watch) this.#watch(namespace, selector, query, response);
    else this.#list(namespace, selector, query, response);
  }

  #list(namespace: string, selector: string, query: URLSearchParams, response: Http2ServerResponse): void {
    const all = [...this.#slices.values()].filter((slice) => selected(slice, namespace, selector));
    const from = Number(query.get('continue') ?? 0);
    const limit = Number(query.get('limit') ?? all.length);
    const next = from + limit < all.length ? String(from + limit) : '';
    const metadata = { resourceVersion: String(this.#revision), ...(next !== '' && { continue: next }) };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ metadata, items: all.slice(from, from + limit).map(objectOf) }));
  }

  #watch(namespace: string, selector: string, query: URLSearchParams, response: Http2ServerResponse): void {
    const from = Number(query.get('resourceVersion'));
    response.writeHead(200, { 'content-type': 'application/json' });
    (response as { flushHeaders?(): void }).flushHeaders?.();
    if (from < this.compacted) {
      response.end(
        line('ERROR', { kind: 'Status', code: 410, message: `too old resource version: ${from}` }),
      );
      return;
    }
    for (const { revision, type, slice } of this.#events) {
      if (revision > from && selected(slice, namespace, selector))
        response.write(line(type, objectOf(slice)));
    }
    const watcher: Watcher = { selector, namespace, response };
    this.#watchers.add(watcher);
    const seconds = this.watchSeconds ?? Number(query.get('timeoutSeconds'));
    const timer = setTimeout(() => {
      response.end(line('BOOKMARK', bookmark(this.#revision)));
    }, seconds * 1_000);
    this.#timers.add(timer);
    response.on('close', () => {
      this.#watchers.delete(watcher);
      this.#timers.delete(timer);
      clearTimeout(timer);
    });
  }

  #tell(type: string, slice: Stored): void {
    this.#events.push({ revision: this.#revision, type, slice });
    for (const { selector, namespace, response } of this.#watchers) {
      if (selected(slice, namespace, selector)) response.write(line(type, objectOf(slice)));
    }
  }
}

export function line(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}

export function refuse(response: Http2ServerResponse, code: number, message: string): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ kind: 'Status', code, message }));
}

function bookmark(revision: number): unknown {
  return { kind: 'EndpointSlice', metadata: { resourceVersion: String(revision) } };
}

function selected(
  { service, namespace = 'default' }: SliceInit,
  inNamespace: string,
  selector: string,
): boolean {
  return namespace === inNamespace && selector === `kubernetes.io/service-name=${service}`;
}

export function objectOf({ name, namespace = 'default', service, revision, ...slice }: Stored): unknown {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace,
      labels: { 'kubernetes.io/service-name': service },
      resourceVersion: String(revision),
    },
    addressType: 'IPv4',
    ports: [{ name: 'grpc', port: 50051, protocol: 'TCP' }],
    ...slice,
  };
}

/** The slices of a service whose endpoints are at many ports: one for each, as every endpoint of one has the same. */
export class SliceWriter {
  readonly #endpoints = new Map<string, Set<string>>();

  constructor(
    private readonly write: (slice: SliceInit | undefined, name: string) => void | Promise<void>,
    /** By the host that a test says, the one that the slices have. */
    private readonly hosts: ReadonlyMap<string, string>,
  ) {}

  put(service: string, address: string): void | Promise<void> {
    return this.#change(service, address, (hosts, host) => hosts.add(host));
  }

  remove(service: string, address: string): void | Promise<void> {
    return this.#change(service, address, (hosts, host) => hosts.delete(host));
  }

  #change(
    service: string,
    address: string,
    change: (hosts: Set<string>, host: string) => void,
  ): void | Promise<void> {
    const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(address)!;
    const ip = this.hosts.get(host) ?? host;
    const family = ip.includes(':') ? 'IPv6' : 'IPv4';
    const name = `${service}-${family.toLowerCase()}-${port}`;
    const hosts = this.#endpoints.get(name) ?? new Set();
    this.#endpoints.set(name, hosts);
    change(hosts, ip);
    if (hosts.size === 0) return this.write(undefined, name);
    const endpoints = [...hosts].map((one) => ({ addresses: [one], conditions: { ready: true } }));
    const ports = [{ name: 'grpc', port: Number(port), protocol: 'TCP' }];
    return this.write({ name, service, addressType: family, ports, endpoints }, name);
  }
}
