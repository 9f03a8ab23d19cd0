import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpointFrom } from '../../../src/base/endpoint.js';
import { encodeValue } from '../../../src/registry/etcd/codec.js';
import { FailoverClient } from '../../../src/registry/etcd/failover.js';
import { EtcdLeases } from '../../../src/registry/etcd/leases.js';
import { EtcdRegistrar } from '../../../src/registry/etcd/registrar.js';
import { EtcdRegistry } from '../../../src/registry/etcd/registry.js';
import { etcdSettings } from '../../../src/registry/etcd/settings.js';
import { describeRegistry } from '../../../src/testing/index.js';
import { type EtcdProcess, startEtcd } from '../../support/etcd.js';
import { describePair, type PairHarness } from '../contract.js';
import { Store } from './store.js';
import { until } from './until.js';

async function harness(): Promise<PairHarness> {
  const etcd = await startEtcd();
  const lines: string[] = [];
  const say = (line: string) => lines.push(line);
  const options = { hosts: etcd.url, logger: { info: say, warn: say } };
  const registry = new EtcdRegistry(options);
  const registrars = [new EtcdRegistrar(options), new EtcdRegistrar(options)] as const;
  const client = new FailoverClient(etcdSettings(options));
  return {
    registry,
    registrars,
    leases: new EtcdLeases(client),
    until,
    pass: (ms) => delay(ms),
    stop: () => etcd.stop(),
    start: () => etcd.start(),
    async close() {
      await Promise.all([registry.close(), ...registrars.map((registrar) => registrar.close())]);
      client.close();
      await etcd.close();
      expect(lines.filter((line) => line.includes('skipped'))).toEqual([]);
    },
  };
}

describePair('in etcd', harness);

describe('of one etcd', () => {
  let etcd: EtcdProcess;
  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd.close());

  describeRegistry(
    'in etcd',
    async () => {
      const writer = new Store(etcd.url);
      const registry = new EtcdRegistry({ hosts: etcd.url });
      return {
        registry,
        store: {
          put: (service, address) => writer.put(service, address),
          update: (service, endpoint) =>
            writer.put(service, endpoint.address, encodeValue(endpointFrom(endpoint, ''))),
          remove: (service, address) => writer.remove(service, address),
          disconnect: () => etcd.stop(),
          reconnect: () => etcd.start(),
        },
        until,
        async close() {
          await registry.close();
          writer.close();
        },
      };
    },
    { describe, it },
  );
});
