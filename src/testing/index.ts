export { FakeCandidate, FakeCandidates } from './fake-candidates.js';
export { describePicker } from './picker-contract.js';
export { describeRegistry, type RegistryHarness, type RegistryStore } from './registry-contract.js';
export type { TestRunner } from './test-runner.js';
export { settle, VirtualClock } from './virtual-clock.js';
