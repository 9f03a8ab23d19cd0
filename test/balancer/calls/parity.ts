// Compares calls through a pool with those of a bare grpc-js client: each scenario is run by every way to call.
import { type ChannelInterface, credentials, makeClientConstructor } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect } from 'vitest';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { http2Transport } from '../../../src/balancer/transport/http2/index.js';
import type { Transport } from '../../../src/balancer/transport/transport.js';
import { staticRegistry } from '../../../src/registry/static.js';
import {
  driveClient,
  driveStub,
  type Kind,
  type Run,
  request,
  type Scenario,
  type Shown,
  toldBy,
} from './drive.js';
import { type Entry, ScenarioServer } from './scenario-server.js';

const insecure = credentials.createInsecure();

type Service = typeof EchoService;

/** What the server must see of the calls through a pool: what it sees of the bare one, its end, or nothing at all. */
export type Journal = 'same' | 'over' | 'empty';

/** What the pool's calls go over; undefined for grpc-js. */
export interface Over {
  readonly name: 'grpc-js' | 'http2';
  readonly transport?: Transport;
}

export const TRANSPORTS: readonly Over[] = [
  { name: 'grpc-js' },
  { name: 'http2', transport: http2Transport() },
];

/** One server, one bare client and one pool for it, for as long as the file's tests run. */
export class Parity {
  server!: ScenarioServer;
  bare!: EchoClient;
  pool!: Pool;
  readonly #Client: typeof EchoClient;
  #scenarios = 0;

  /** @param service - what the clients call; the server serves the Echo service. */
  constructor(
    over: Over,
    private readonly service: Service = EchoService,
  ) {
    this.#Client = makeClientConstructor(service, 'Echo') as unknown as typeof EchoClient;
    beforeAll(async () => {
      this.server = await ScenarioServer.start();
      this.bare = new this.#Client(this.server.address, insecure);
      await new Promise<void>((resolve, reject) => {
        this.bare.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve()));
      });
      this.pool = new Pool({
        registry: staticRegistry([this.server.address]),
        service: 'echo',
        drainTimeoutMs: 1_000,
        ...(over.transport && { transport: over.transport }),
      });
      await this.pool.ready({ timeoutMs: 10_000 });
    });
    afterAll(async () => {
      this.bare.close();
      await this.pool.close();
      this.server.close();
    });
  }

  /** The generated clients that stand on the pool, each for one call. */
  async clients(): Promise<Record<string, EchoClient>> {
    return {
      'pool.client': this.pool.client(this.#Client),
      'pool.channel': new this.#Client('unused', insecure, { channelOverride: this.pool.channel }),
      'pick.as': (await this.pool.pick()).as(this.#Client),
    };
  }

  /**
   * Expects that every way to call shows the same, and that the server sees the same. Resolves with what the bare
   * client showed, for the test to look whether it is what the scenario is about.
   */
  async expectSame(
    kind: Kind,
    scenario: Scenario,
    { stub = true, journal = 'same' }: { readonly stub?: boolean; readonly journal?: Journal } = {},
  ): Promise<Shown[]> {
    this.#scenarios++;
    const bareRun = this.#run('bare');
    const bare = driveClient(this.bare, kind, scenario, bareRun);
    const clients = Object.entries(await this.clients()).map(([name, client]) => {
      const run = this.#run(name);
      return { run, shown: driveClient(client, kind, scenario, run) };
    });
    const stubRun = this.#run('pool.stub');
    const told = stub ? driveStub(this.pool.stub(this.service), kind, scenario, stubRun) : undefined;
    const runs = [...clients.map(({ run }) => run), ...(stub ? [stubRun] : [])];

    const expected = [...(await bare)];
    for (const { run, shown } of clients) expect(await shown, run.name).toEqual(expected);
    if (told !== undefined) expect(await told, stubRun.name).toEqual(toldBy(expected));
    expect(this.pool.snapshot()).toMatchObject({ pending: 0, waiting: 0 });

    await this.#expectJournals(journal, bareRun, runs);
    // By now a frame that was still on its way has come, too.
    await Promise.all([this.bare.getChannel(), this.pool.channel].map((channel) => ping(channel)));
    for (const { run, shown } of clients) expect(await shown, `${run.name}, later`).toEqual(expected);
    await this.#expectJournals(journal, bareRun, runs);
    return expected;
  }

  /** What the server saw of the last scenario's call by the bare client. */
  get journal(): readonly Entry[] {
    return this.server.journal(this.#run('bare').name);
  }

  async #expectJournals(journal: Journal, bare: Run, others: readonly Run[]): Promise<void> {
    for (const { name } of others) {
      const soon = { message: name, timeout: 60_000, interval: 5 };
      const entries = () => this.server.journal(name);
      if (journal === 'same') await expect.poll(entries, soon).toEqual(this.server.journal(bare.name));
      else if (journal === 'over')
        await expect.poll(() => entries().at(-1)?.kind ?? 'over', soon).toBe('over');
      else expect(entries(), name).toEqual([]);
    }
  }

  #run(name: string): Run {
    return { server: this.server, name: `${this.#scenarios}/${name}` };
  }
}

/** A call that takes its turn behind whatever is on the channel's way. */
export function ping(channelOverride: ChannelInterface): Promise<void> {
  const client = new EchoClient('unused', insecure, { channelOverride });
  return new Promise((resolve, reject) => {
    client.unary(request('ping'), (error) => (error ? reject(error) : resolve()));
  });
}
