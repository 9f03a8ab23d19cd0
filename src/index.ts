export { CallError } from './balancer/calls/call-error.js';
export type { AttemptEndMessage, AttemptMessage } from './balancer/calls/diagnostics.js';
export type { ClientConstructor, PoolPick } from './balancer/calls/hand-pick.js';
export type { MethodDefinition, ServiceDefinition } from './balancer/calls/method.js';
export type { PickOptions } from './balancer/calls/pick-request.js';
export type { Requests } from './balancer/calls/stream-call.js';
export type { CallOptions, Stub } from './balancer/calls/stub.js';
export type { EjectionReason } from './balancer/core/outlier-detector.js';
export type { OutlierOptions } from './balancer/core/outlier-options.js';
export type { MethodOptions } from './balancer/core/policies.js';
export type { RetryBudgetOptions } from './balancer/core/retry-budget.js';
export type { HedgeOptions, RetryOptions, StatusCode } from './balancer/core/retry-options.js';
export type { AffinityOptions } from './balancer/pickers/affinity.js';
export { type GroupedOptions, grouped } from './balancer/pickers/grouped.js';
export { type PickerName, pickerNames } from './balancer/pickers/index.js';
export { type LeastPendingOptions, leastPending } from './balancer/pickers/least-pending.js';
export { type MaglevOptions, maglev } from './balancer/pickers/maglev.js';
export {
  type Meter,
  type MeterFactory,
  type PeakEwmaOptions,
  peakEwma,
  pending,
} from './balancer/pickers/meters.js';
export { type PeakEwmaPickerOptions, peakEwmaPicker } from './balancer/pickers/peak-ewma.js';
export type { Candidate, Outcome, PickContext, Picker, PickerFactory } from './balancer/pickers/picker.js';
export { type PowerOfTwoOptions, powerOfTwo } from './balancer/pickers/power-of-two.js';
export { random } from './balancer/pickers/random.js';
export { ringHash } from './balancer/pickers/ring-hash.js';
export { roundRobin } from './balancer/pickers/round-robin.js';
export type { SlowStartOptions } from './balancer/pickers/slow-start.js';
export { weightedRoundRobin } from './balancer/pickers/weighted-round-robin.js';
export { type ZoneAwareOptions, zoneAware } from './balancer/pickers/zone-aware.js';
export { diagnostics, type PoolEventMessage } from './balancer/pool/diagnostics.js';
export type { PoolEvent } from './balancer/pool/events.js';
export type { PoolOptions } from './balancer/pool/options.js';
export { Pool } from './balancer/pool/pool.js';
export type {
  PoolSnapshot,
  RegistryState,
  SubchannelSnapshot,
} from './balancer/pool/snapshot.js';
export type { RemovalGuardOptions } from './balancer/table/removal-guard.js';
export type { SubchannelState } from './balancer/table/state.js';
export type { Clock } from './base/clock.js';
export type { Endpoint, EndpointInit } from './base/endpoint.js';
export { BalancerError, type BalancerErrorCode } from './base/errors.js';
export type { Logger } from './base/logger.js';
export type { Random } from './base/random.js';
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
