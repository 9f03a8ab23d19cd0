import { describe, it } from 'vitest';
import { grouped } from '../../../src/balancer/pickers/grouped.js';
import { pickerFactory, pickerNames } from '../../../src/balancer/pickers/index.js';
import { leastPending } from '../../../src/balancer/pickers/least-pending.js';
import { maglev } from '../../../src/balancer/pickers/maglev.js';
import { peakEwmaPicker } from '../../../src/balancer/pickers/peak-ewma.js';
import type { PickerFactory } from '../../../src/balancer/pickers/picker.js';
import { powerOfTwo } from '../../../src/balancer/pickers/power-of-two.js';
import { ringHash } from '../../../src/balancer/pickers/ring-hash.js';
import { zoneAware } from '../../../src/balancer/pickers/zone-aware.js';
import { describePicker } from '../../../src/testing/index.js';

const slowStart = { windowMs: 2_000 };
const label = ({ metadata }: { metadata: Readonly<Record<string, string>> }) => metadata.zone;

const pickers: Record<string, PickerFactory> = {
  ...Object.fromEntries(pickerNames.map((name) => [name, pickerFactory(name)])),
  // The default table takes a millisecond to fill: too long for suites that change the set thousands of times.
  maglev: maglev({ tableSize: 251 }),
  'power-of-two of 10': powerOfTwo({ choices: 10 }),
  'ring-hash without a bound': ringHash({ bound: Number.POSITIVE_INFINITY }),
  'least-pending with slow start': leastPending({ slowStart }),
  'power-of-two with slow start': powerOfTwo({ slowStart }),
  'peak-ewma with slow start': peakEwmaPicker({ slowStart, choices: 3 }),
  'zone-aware least-pending': zoneAware({ zone: 'a' }),
  'zone-aware weighted-round-robin': zoneAware({ zone: 'a', inner: 'weighted-round-robin', threshold: 1 }),
  'grouped peak-ewma': grouped({ label, inner: 'peak-ewma' }),
  'grouped ring-hash, zone-aware': grouped({ label, inner: zoneAware({ zone: 'b', inner: 'ring-hash' }) }),
};

for (const [name, factory] of Object.entries(pickers)) describePicker(name, factory, { describe, it });
