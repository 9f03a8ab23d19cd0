import { setTimeout as delay } from 'node:timers/promises';
import type { Transport } from '../../src/balancer/transport/transport.js';
import { DEFAULT_PREFIX, servicePrefix } from '../../src/registry/keys.js';
import { type EtcdProcess, type EtcdStartOptions, startCluster } from '../../test/support/etcd.js';
import { ServerProcess } from '../../test/support/server-process.js';
import type { AnnounceTo } from '../../test/support/server-protocol.js';
import { TcpProxy } from '../../test/support/tcp-proxy.js';
import { Cleanups } from '../support/cleanups.js';
import { Client, type ClientOptions } from './client.js';
import type { EtcdGateway } from './gateway.js';

/** How long a server is announced after it was last heard. Short, so that leases end within the longer faults. */
export const TTL_SECONDS = 5;
/** A registration is back this long after it can be: a beat, and 2 s. */
export const BACK_MS = (TTL_SECONDS * 1000) / 3 + 2_000;

/** How long the first servers may take until they are found and connected, in milliseconds. */
const READY_MS = 20_000;
/** How long a client makes its calls before anything is done to it, in milliseconds. */
const CALM_MS = 500;

/** Where one fault is done: the processes that it starts, and that end with it. */
export class Scene implements AsyncDisposable {
  readonly service: string;
  /** What the keys of the service begin with. */
  readonly keysBegin: string;
  /** Aborts when the fault is over, and when the program is interrupted. */
  readonly signal: AbortSignal;
  /** What `--seconds` says. */
  readonly seconds: number | undefined;
  /** A line for people. */
  readonly say: (line: string) => void;
  readonly #cleanups: Cleanups;

  constructor(
    name: string,
    signal: AbortSignal,
    say: (line: string) => void,
    seconds?: number,
    private readonly transport?: Transport,
  ) {
    this.service = name;
    this.keysBegin = servicePrefix({ prefix: DEFAULT_PREFIX }, name);
    this.#cleanups = new Cleanups(signal);
    this.signal = this.#cleanups.signal;
    this.say = say;
    this.seconds = seconds;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cleanups[Symbol.asyncDispose]();
  }

  /** Ends with the scene. */
  own<T extends AsyncDisposable>(owned: T): T {
    this.#cleanups.add(() => owned[Symbol.asyncDispose]());
    return owned;
  }

  async etcd(options: EtcdStartOptions = {}): Promise<EtcdProcess> {
    const [etcd] = await this.cluster(1, options);
    return etcd!;
  }

  async cluster(size: number, options: EtcdStartOptions = {}): Promise<EtcdProcess[]> {
    const members = await startCluster(size, { signal: this.signal, ...options });
    for (const member of members) this.own(member);
    return members;
  }

  /** Stands between somebody and an etcd. */
  async proxy(etcd: EtcdProcess): Promise<TcpProxy> {
    return this.own(await TcpProxy.start(() => etcd.port));
  }

  /** A real server in a process of its own, that announces itself in the etcd at `hosts`; without it, nowhere. */
  async server(hosts?: readonly string[]): Promise<ServerProcess> {
    const announceTo: AnnounceTo = hosts === undefined ? { kind: 'nowhere' } : { kind: 'etcd', hosts };
    const server = await ServerProcess.start({
      service: this.service,
      announceTo,
      ttlSeconds: TTL_SECONDS,
      lameDuckMs: 500,
      drainTimeoutMs: 2_000,
      signal: this.signal,
    });
    this.#cleanups.add(() => server.kill());
    return server;
  }

  servers(count: number, hosts?: readonly string[]): Promise<ServerProcess[]> {
    return Promise.all(Array.from({ length: count }, () => this.server(hosts)));
  }

  /** Servers that an operator has announced, for good: where it is not their registration that is tried. */
  async announcedServers(count: number, gateway: EtcdGateway): Promise<ServerProcess[]> {
    const servers = await this.servers(count);
    await gateway.change(servers.map((server) => ({ put: this.keyOf(server), value: server.address })));
    return servers;
  }

  /** The key under which a server announces itself. */
  keyOf(server: ServerProcess): string {
    return this.keysBegin + server.address;
  }

  /** A client that is connected to so many endpoints, and has made calls for a while without any trouble. */
  async client(
    ready: number,
    options: Omit<ClientOptions, 'service' | 'keysBegin' | 'real'>,
  ): Promise<Client> {
    const { service, keysBegin } = this;
    const client = this.own(new Client({ service, keysBegin, real: this.transport, ...options }));
    const until = performance.now() + READY_MS;
    // Rows of weight 0 are READY, and not among the READY rows that a picker sees.
    while (client.connected < ready) {
      if (performance.now() > until) {
        throw new Error(`${client.connected} of ${ready} endpoints connected within ${READY_MS / 1000} s`);
      }
      await this.wait(10);
    }
    await this.wait(CALM_MS);
    return client;
  }

  async wait(ms: number): Promise<void> {
    await delay(Math.max(0, ms), undefined, { signal: this.signal });
  }

  /** Waits until a moment of `performance.now()`. */
  async waitUntil(at: number): Promise<void> {
    await this.wait(at - performance.now());
  }
}
