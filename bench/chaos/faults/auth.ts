// etcd wants tokens, and they expire.
import { EtcdRegistrar } from '../../../src/registry/etcd/registrar.js';
import { ALWAYS, backWithin, CONVERGED, type Fault, staleWithin } from '../fault.js';
import { EtcdGateway, reachable } from '../gateway.js';
import { conclude, convergedMs, registered, registrationsBack } from '../recovery.js';
import { BACK_MS, TTL_SECONDS } from '../scene.js';

const SERVERS = 3;
const USER = { name: 'root', password: 'a password of many words' };
const TOKEN_TTL_SECONDS = 2;

export const tokenExpired: Fault = {
  name: 'token-expired',
  title: 'auth tokens and leases expire while the way to etcd is interrupted',
  limits: { ...ALWAYS, ...staleWithin(6_000), ...CONVERGED, ...backWithin(BACK_MS) },
  together: 'registrations',
  async run(scene) {
    const etcd = await scene.etcd({
      args: ['--auth-token=simple', `--auth-token-ttl=${TOKEN_TTL_SECONDS}`, '--bcrypt-cost=4'],
    });
    await new EtcdGateway(etcd.url).enableAuth(USER);
    const gateway = new EtcdGateway(etcd.url, USER);
    const proxy = await scene.proxy(etcd);
    const servers = await scene.servers(SERVERS);
    const auth = { username: USER.name, password: USER.password };
    const registrar = scene.own(new EtcdRegistrar({ hosts: proxy.url, auth }));
    for (const { address } of servers)
      registrar.register(scene.service, { address }, { ttlSeconds: TTL_SECONDS });
    const client = await scene.client(SERVERS, { hosts: [proxy.url], auth });

    const before = await registered(scene, gateway);

    const struckAt = performance.now();
    proxy.blackHole();
    await scene.wait(2 * TTL_SECONDS * 1000);
    // What was held back goes with its connections: whoever is there then has to come again.
    proxy.cut();
    proxy.heal();
    const since = await reachable(new EtcdGateway(proxy.url, USER), scene.signal);
    const keys = servers.map((server) => scene.keyOf(server));
    const [converged, registrations] = await Promise.all([
      convergedMs(scene, client, gateway, since),
      registrationsBack(scene, gateway, keys, before, since),
    ]);
    return conclude(scene, client, gateway, {
      'stale-said-ms': client.staleSaidMs(struckAt),
      'converged-ms': converged,
      ...registrations,
    });
  },
};
