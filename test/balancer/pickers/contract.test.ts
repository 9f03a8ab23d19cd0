import { describe, it } from 'vitest';
import { pickerFactory, pickerNames } from '../../../src/balancer/pickers/index.js';
import { describePicker } from '../../../src/testing/index.js';

for (const name of pickerNames) describePicker(name, pickerFactory(name), { describe, it });
