export { CallError } from './balancer/call-error.js';
export type { PoolChannel } from './balancer/channel.js';
export type { ClientConstructor, Pick } from './balancer/pick.js';
export type { PickOptions } from './balancer/pick-request.js';
export type { Candidate, Outcome, PickContext, Picker, PickerFactory } from './balancer/picker.js';
export { type PickerName, pickerNames } from './balancer/pickers/index.js';
export { Pool, type PoolOptions } from './balancer/pool.js';
export type {
  PoolEvent,
  PoolSnapshot,
  RegistryState,
  SubchannelSnapshot,
  SubchannelState,
} from './balancer/snapshot.js';
export type { Requests } from './balancer/stream-call.js';
export type { CallOptions, MethodDefinition, ServiceDefinition, Stub } from './balancer/stub.js';
export type { Clock } from './clock.js';
export type { Endpoint, EndpointInit } from './endpoint.js';
export { BalancerError, type BalancerErrorCode } from './errors.js';
export type { Logger } from './logger.js';
export type { Random } from './random.js';
export { EtcdRegistrar } from './registry/etcd/registrar.js';
export { EtcdRegistry } from './registry/etcd/registry.js';
export type { EtcdAuth, EtcdOptions, EtcdTls } from './registry/etcd/settings.js';
export { MemoryRegistry } from './registry/memory.js';
export type {
  Registrar,
  Registration,
  RegistrationState,
  Registry,
  RegistryEvent,
} from './registry/registry.js';
export { staticRegistry } from './registry/static.js';
export { type AnnounceOptions, announce, type Serving } from './server/announce.js';
export { type ServeOptions, serve } from './server/serve.js';
