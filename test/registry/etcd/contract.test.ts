import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
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

describeRegistry('in etcd', harness);
describePair('in etcd', harness);
