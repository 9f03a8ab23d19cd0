export { FakeCandidate, FakeCandidates } from './fake-candidates.js';
export { describePicker, type TestRunner } from './picker-contract.js';
export { settle, VirtualClock } from './virtual-clock.js';
