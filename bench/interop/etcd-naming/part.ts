import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { Server } from '@grpc/grpc-js';
import { EtcdRegistrar } from '../../../src/registry/etcd/registrar.js';
import { EtcdRegistry } from '../../../src/registry/etcd/registry.js';
import type { EtcdOptions } from '../../../src/registry/etcd/settings.js';
import { Health } from '../../../src/server/health.js';
import { serve } from '../../../src/server/serve.js';
import { startEtcd } from '../../../test/support/etcd.js';
import type { Part, Run } from '../../support/program.js';
import { required, runCommand } from '../support/command.js';
import { cacheFolder, inProject } from '../support/places.js';

/** How keys and values are, for etcd's own Go package to read them. */
const FORM = { prefix: '', leadingSlash: false, value: 'naming' } as const satisfies Partial<EtcdOptions>;
const SERVICE = 'interop/naming';
const FROM_GO = '127.0.0.1:7';
const FOUND_WITHIN_MS = 10_000;

const NAME = 'etcd-naming';

/** etcd's own naming package for Go: it finds and calls our server, and we find what it announces. */
export const etcdNaming: Part = {
  name: NAME,
  targets: [`${NAME}/passed`],
  async run(run) {
    const program = await built(run);
    await using etcd = await startEtcd({ signal: run.signal });
    const go = async (...args: readonly string[]): Promise<string> => {
      const command = { program, args: [new URL(etcd.url).host, SERVICE, ...args] };
      return (await runCommand(command, run.signal)).stdout.trim();
    };
    const health = new Health();
    await using serving = await serve(new Server(), {
      registrar: new EtcdRegistrar({ hosts: etcd.url, ...FORM }),
      service: SERVICE,
      address: '127.0.0.1:0',
      health,
      lameDuckMs: 0,
    });
    await serving.registration.registered(run.signal);
    await using registry = new EtcdRegistry({ hosts: etcd.url, ...FORM });
    const checks: Readonly<Record<string, () => Promise<boolean>>> = {
      'it finds our server': async () => (await go('list')) === serving.address,
      'its resolver calls our server': async () => (await go('call')) === 'SERVING',
      'we find what it announces': async () => {
        await go('put', FROM_GO);
        return finds(registry, FROM_GO, run.signal);
      },
    };
    let passed = 0;
    for (const [name, check] of Object.entries(checks)) {
      if (await check()) passed += 1;
      else run.say(`  ${name}: no`);
    }
    run.atLeast(`${NAME}/passed`, passed, Object.keys(checks).length, 'checks');
  },
};

async function built(run: Run): Promise<string> {
  const go = required('go');
  const folder = await cacheFolder(NAME);
  await cp(inProject('bench/interop/etcd-naming'), folder, { recursive: true });
  run.progress(`${NAME}: building`);
  await runCommand({ program: go, args: ['build', '-o', NAME, '.'], cwd: folder }, run.signal);
  return join(folder, NAME);
}

async function finds(registry: EtcdRegistry, address: string, signal: AbortSignal): Promise<boolean> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(FOUND_WITHIN_MS)]);
  for await (const event of registry.watch(SERVICE, until)) {
    const endpoints = event.kind === 'snapshot' ? event.endpoints : event.kind === 'changes' ? event.put : [];
    const found = endpoints.find((endpoint) => endpoint.address === address);
    if (found !== undefined) return found.metadata.zone === 'go';
  }
  return false;
}
