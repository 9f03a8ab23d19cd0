import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { EchoClient, EchoService } from '../../generated/evenkeel/echo/v1/echo.js';
import { type PickerName, pickerFactory } from '../../src/balancer/pickers/index.js';
import type { PickerFactory } from '../../src/balancer/pickers/picker.js';
import { Pool } from '../../src/balancer/pool/pool.js';
import type { EndpointInit } from '../../src/base/endpoint.js';
import { Status } from '../../src/base/errors.js';
import { staticRegistry } from '../../src/registry/static.js';
import type { PoolSpec } from '../../src/simulator/scenario/scenario.js';

/** Makes calls to real servers. */
export interface LiveClient {
  /** Resolves with the status code that the call ended with. */
  call(timeoutMs: number): Promise<number>;
  close(): Promise<void>;
}

/** A policy: what does it on real servers, and what stands for it in the simulator. */
export interface Contestant {
  readonly name: string;
  readonly factory: PickerFactory;
  /** @param options - of a pool; a policy of grpc-js knows none of them. */
  connect(endpoints: readonly EndpointInit[], options: PoolSpec): Promise<LiveClient>;
}

const REQUEST = { payload: Buffer.alloc(16), count: 0, delayMs: 0, code: 0, details: '' };
/** How long all connections may take to be made. */
const READY_MS = 20_000;

/** A picker of evenkeel, in a pool as the scenario has it. Nothing ejects and nothing retries unless that asks for it. */
export function evenkeel(name: PickerName): Contestant {
  return {
    name,
    factory: pickerFactory(name),
    async connect(endpoints, { maxPendingPerEndpoint = Number.POSITIVE_INFINITY, queue = {}, ...rest }) {
      const { outlierDetection = false } = rest;
      const pool = new Pool({
        registry: staticRegistry(endpoints),
        service: 'echo',
        picker: name,
        outlierDetection: outlierDetection === true ? {} : outlierDetection,
        maxPendingPerEndpoint,
        queue,
      });
      await allReady(pool, endpoints.length);
      const stub = pool.stub(EchoService);
      return {
        call: (timeoutMs) =>
          stub.unary(REQUEST, { timeoutMs }).then(
            () => Status.OK,
            (error: ServiceError) => error.code,
          ),
        close: () => pool.close(),
      };
    },
  };
}

/** A policy of grpc-js itself, over the same addresses. */
export function grpcJs(policy: 'round_robin' | 'pick_first'): Contestant {
  return {
    name: `grpc-js ${policy}`,
    factory: policy === 'round_robin' ? pickerFactory('round-robin') : pickFirst,
    async connect(endpoints) {
      const target = `ipv4:${endpoints.map(({ address }) => address).join(',')}`;
      const client = new EchoClient(target, credentials.createInsecure(), {
        'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ [policy]: {} }] }),
        'grpc.enable_retries': 0,
        'grpc.use_local_subchannel_pool': 1,
      });
      await new Promise<void>((resolve, reject) => {
        client.waitForReady(Date.now() + READY_MS, (error) => (error ? reject(error) : resolve()));
      });
      return {
        call: (timeoutMs) =>
          new Promise((resolve) => {
            const options = Number.isFinite(timeoutMs) ? { deadline: Date.now() + timeoutMs } : {};
            client.unary(REQUEST, new Metadata(), options, (error) =>
              resolve(error === null ? Status.OK : error.code),
            );
          }),
        close: async () => client.close(),
      };
    },
  };
}

/** The first address of the list, for as long as it is there. */
const pickFirst: PickerFactory = () => ({
  name: 'grpc-js pick_first',
  pick: (ready) => ready.find(({ endpoint }) => /-1$/.test(endpoint.id)) ?? ready[0],
});

async function allReady(pool: Pool, count: number): Promise<void> {
  const until = performance.now() + READY_MS;
  while (pool.snapshot().ready < count) {
    if (performance.now() > until) throw new Error('the pool could not connect to all servers');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
