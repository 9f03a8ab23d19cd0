import { describe, expect, it } from 'vitest';
import { type PickerName, pickerFactory, pickerNames } from '../../../src/balancer/pickers/index.js';
import type { PickerFactory } from '../../../src/balancer/pickers/picker.js';
import { BalancerError } from '../../../src/base/errors.js';
import { seededRandom } from '../../../src/base/random.js';

describe('pickerFactory', () => {
  it('gives a picker of each name', () => {
    for (const name of pickerNames) {
      expect(pickerFactory(name)({ random: seededRandom(1) }).name).toBe(name);
    }
  });

  it('gives a factory back', () => {
    const factory: PickerFactory = () => ({ name: 'first', pick: (ready) => ready[0] });
    expect(pickerFactory(factory)).toBe(factory);
  });

  it.each(['round_robin', 'pick_first', '', 'toString', '__proto__', undefined, null, 7])(
    'refuses %j',
    (name) => {
      const attempt = () => pickerFactory(name as PickerName);
      expect(attempt).toThrow(BalancerError);
      expect(attempt).toThrow(expect.objectContaining({ code: 'UNKNOWN_PICKER' }));
      expect(attempt).toThrow(JSON.stringify(name) ?? 'undefined');
      expect(attempt).toThrow('round-robin, random, least-pending');
    },
  );
});
