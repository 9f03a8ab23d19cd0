import { setTimeout as delay } from 'node:timers/promises';
import { silentLogger } from '../../../src/logger.js';
import { FailoverClient } from '../../../src/registry/etcd/failover.js';
import { EtcdLeases } from '../../../src/registry/etcd/leases.js';
import { EtcdRegistrar } from '../../../src/registry/etcd/registrar.js';
import { EtcdRegistry } from '../../../src/registry/etcd/registry.js';
import { etcdSettings } from '../../../src/registry/etcd/settings.js';
import { startEtcd } from '../../support/etcd.js';
import { describePair, describeRegistry, type PairHarness } from '../contract.js';
import { until } from './until.js';

async function harness(): Promise<PairHarness> {
  const etcd = await startEtcd();
  const options = { hosts: etcd.url, logger: silentLogger };
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
    },
  };
}

describeRegistry('in etcd', harness);
describePair('in etcd', harness);
