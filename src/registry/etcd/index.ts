/**
 * `evenkeel/etcd`: endpoints that servers announce in etcd, under leases, and pools follow by a watch. A subpath of the
 * package, so that a program without etcd does not load a client of it.
 *
 * ```ts
 * const registrar = new EtcdRegistrar({ hosts: 'http://localhost:2379' });
 * await serve(server, { address: '10.0.0.7:50051', service: 'hello', registrar });
 *
 * const registry = new EtcdRegistry({ hosts: 'http://localhost:2379' });
 * const pool = new Pool({ registry, service: 'hello' });
 * ```
 *
 * How it stays true: `session.ts` (one snapshot and the watch that continues it), `watch-loop.ts` (session after
 * session), `signs-of-life.ts` (a quiet stream told from a dead one). How it writes: `leases.ts`, under `../registration.ts`.
 * What it asks of a client of etcd: `port.ts`; by which it is: `etcd3/`.
 *
 * @module
 */
export type { ValueFormat } from './codec.js';
export { EtcdRegistrar } from './registrar.js';
export { EtcdRegistry } from './registry.js';
export type { EtcdOptions, EtcdTls } from './settings.js';
export type { EtcdAuth } from './token.js';
