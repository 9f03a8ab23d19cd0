export { CallError } from './balancer/call-error.js';
export {
  type AttemptEndMessage,
  type AttemptMessage,
  diagnostics,
  type PoolEventMessage,
} from './balancer/diagnostics.js';
export { type Meter, type MeterFactory, type PeakEwmaOptions, peakEwma, pending } from './balancer/meters.js';
export type { MethodDefinition, ServiceDefinition } from './balancer/method.js';
export type { EjectionReason, OutlierOptions } from './balancer/outlier.js';
export type { ClientConstructor, Pick } from './balancer/pick.js';
export type { PickOptions } from './balancer/pick-request.js';
export type { Candidate, Outcome, PickContext, Picker, PickerFactory } from './balancer/picker.js';
export type { AffinityOptions } from './balancer/pickers/affinity.js';
export { type GroupedOptions, grouped } from './balancer/pickers/grouped.js';
export { type PickerName, pickerNames } from './balancer/pickers/index.js';
export { type LeastPendingOptions, leastPending } from './balancer/pickers/least-pending.js';
export { type MaglevOptions, maglev } from './balancer/pickers/maglev.js';
export { type PeakEwmaPickerOptions, peakEwmaPicker } from './balancer/pickers/peak-ewma.js';
export { type PowerOfTwoOptions, powerOfTwo } from './balancer/pickers/power-of-two.js';
export { random } from './balancer/pickers/random.js';
export { ringHash } from './balancer/pickers/ring-hash.js';
export { roundRobin } from './balancer/pickers/round-robin.js';
export type { SlowStartOptions } from './balancer/pickers/slow-start.js';
export { weightedRoundRobin } from './balancer/pickers/weighted-round-robin.js';
export { type ZoneAwareOptions, zoneAware } from './balancer/pickers/zone-aware.js';
export { Pool, type PoolOptions } from './balancer/pool.js';
export type { RemovalGuardOptions } from './balancer/removal-guard.js';
export type {
  HedgeOptions,
  MethodOptions,
  RetryBudgetOptions,
  RetryOptions,
  StatusCode,
} from './balancer/retry.js';
export type {
  PoolEvent,
  PoolSnapshot,
  RegistryState,
  SubchannelSnapshot,
  SubchannelState,
} from './balancer/snapshot.js';
export type { Requests } from './balancer/stream-call.js';
export type { CallOptions, Stub } from './balancer/stub.js';
export type { Clock } from './clock.js';
export type { Endpoint, EndpointInit } from './endpoint.js';
export { BalancerError, type BalancerErrorCode } from './errors.js';
export type { Logger } from './logger.js';
export type { Random } from './random.js';
export { EtcdRegistrar } from './registry/etcd/registrar.js';
export { EtcdRegistry } from './registry/etcd/registry.js';
export type { EtcdOptions, EtcdTls } from './registry/etcd/settings.js';
export type { EtcdAuth } from './registry/etcd/token.js';
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
export { Health } from './server/health.js';
export { type ServeOptions, serve } from './server/serve.js';
