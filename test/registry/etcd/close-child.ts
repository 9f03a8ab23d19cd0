// A program that watches and registers, closes both when it is told to, and then has nothing more to do.
import { EtcdRegistrar } from '../../../src/registry/etcd/registrar.js';
import { EtcdRegistry } from '../../../src/registry/etcd/registry.js';

const [hosts, ttl] = process.argv.slice(2) as [string, string];
const options = { ttlSeconds: Number(ttl) };
const registry = new EtcdRegistry({ hosts });
const registrar = new EtcdRegistrar({ hosts });
const registration = registrar.register('s', { address: 'localhost:1' }, options);
const tell = (what: string) => process.send?.(what);

// A second watch and registration that are in the middle of whatever they do when all is closed.
registrar.register('s', { address: 'localhost:2' }, options);
const watched = [0, 1].map(async () => {
  for await (const { kind } of registry.watch('s', new AbortController().signal)) tell(kind);
});
void (async () => {
  for await (const { kind } of registration.states()) tell(kind);
})();

process.once('message', async () => {
  const startedAt = performance.now();
  await Promise.all([registry.close(), registrar.close(), ...watched]);
  tell(`all closed after ${Math.round(performance.now() - startedAt)} ms`);
  process.disconnect();
});
