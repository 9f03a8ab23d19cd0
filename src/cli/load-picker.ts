import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type PickerName, pickerFactory, pickerNames } from '../balancer/pickers/index.js';
import type { Picker, PickerFactory } from '../balancer/pickers/picker.js';
import { asError, BalancerError } from '../base/errors.js';
import { seededRandom } from '../base/random.js';
import { Watchdog } from '../simulator/watchdog.js';

/**
 * A picker by its name, or from a module that exports its factory, as its default or as `picker`.
 *
 * @param from - the directory that a path is relative to.
 * @throws BalancerError UNKNOWN_PICKER, naming what was given and the cure.
 */
export async function loadPicker(
  given: string,
  from: string,
): Promise<{ name: string; factory: PickerFactory }> {
  if (!isPath(given)) {
    if (!(pickerNames as readonly string[]).includes(given)) {
      const names = pickerNames.join(', ');
      throw unknown(`picker ${JSON.stringify(given)} is none of ${names}, nor a path such as ./my-picker.js`);
    }
    return { name: given, factory: pickerFactory(given as PickerName) };
  }
  const path = resolve(from, given);
  if (!existsSync(path)) throw unknown(`picker ${given}: there is no file ${path}`);
  let module: { default?: unknown; picker?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as typeof module;
  } catch (thrown) {
    throw unknown(`picker ${given} cannot be loaded: ${asError(thrown).message}`);
  }
  const factory = module.default ?? module.picker;
  const cure = 'export default ({ random }) => ({ name, pick(ready, call) { ... } })';
  if (typeof factory === 'function' && /^class\b/.test(String(factory))) {
    throw unknown(
      `picker ${given} exports a class, and not a factory: export default (env) => new MyPicker(env)`,
    );
  }
  if (typeof factory !== 'function') throw unknown(`picker ${given} exports no factory: ${cure}`);
  let made: Partial<Picker> | undefined;
  try {
    made = new Watchdog(`picker ${given}`).run(() => (factory as PickerFactory)({ random: seededRandom(1) }));
  } catch (thrown) {
    const { message } = asError(thrown);
    throw unknown(thrown instanceof BalancerError ? message : `picker ${given} cannot be made: ${message}`);
  }
  if (typeof made === 'function') {
    throw unknown(
      `picker ${given} exports what makes a factory, and not a factory: export default myPicker()`,
    );
  }
  if (typeof made?.pick !== 'function' || typeof made.name !== 'string' || made.name === '') {
    throw unknown(`picker ${given} makes what is not a picker, with a name and a method pick: ${cure}`);
  }
  return { name: made.name, factory: factory as PickerFactory };
}

function isPath(given: string): boolean {
  return /[/\\]|\.[cm]?[jt]s$/.test(given);
}

function unknown(message: string): BalancerError {
  return new BalancerError('UNKNOWN_PICKER', message);
}
