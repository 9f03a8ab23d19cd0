import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { Ajv } from 'ajv';
import { asError, BalancerError } from '../../base/errors.js';
import { checkWhole } from './bounds.js';
import { type Plan, planOf } from './plan.js';
import type { Scenario } from './scenario.js';
import { describeErrors } from './schema-errors.js';
import { readTrace } from './trace-file.js';

/** Where the JSON Schema of scenario files is. */
export function schemaPath(): string {
  return createRequire(import.meta.url).resolve('evenkeel/scenario.schema.json');
}

/**
 * The scenario in a JSON file. Paths in it are relative to the file.
 *
 * @throws BalancerError INVALID_OPTION, naming the file, the field, and what it must be.
 */
export function readScenario(path: string): Scenario {
  let text: string;
  try {
    // Some editors begin a file with a byte order mark, which JSON does not know.
    text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (thrown) {
    throw new BalancerError('INVALID_OPTION', `cannot read the scenario: ${asError(thrown).message}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (thrown) {
    throw new BalancerError(
      'INVALID_OPTION',
      `${path} is not JSON: ${located(asError(thrown).message, text)}`,
    );
  }
  return checkScenario(json, path);
}

/**
 * The value itself, when it is a scenario.
 *
 * @param name - what it is called in errors.
 * @throws BalancerError INVALID_OPTION.
 */
export function checkScenario(value: unknown, name = 'scenario'): Scenario {
  const ajv = new Ajv({ allErrors: true, verbose: true, discriminator: true, allowUnionTypes: true });
  const validate = ajv.compile<Scenario>(JSON.parse(readFileSync(schemaPath(), 'utf8')));
  if (!validate(value)) {
    throw new BalancerError('INVALID_OPTION', `${name}: ${describeErrors(validate.errors ?? []).join('; ')}`);
  }
  named(name, () => checkWhole(value));
  return value;
}

/**
 * What a scenario comes to, its files read.
 *
 * @param path - of the scenario's file: what it names is relative to it.
 * @throws BalancerError INVALID_OPTION.
 */
export function readPlan(scenario: Scenario, path: string): Plan {
  return named(path, () => planOf(scenario, (file, field) => readTrace(resolve(dirname(path), file), field)));
}

/** What is wrong is said with the name of what it is in. */
function named<T>(name: string, make: () => T): T {
  try {
    return make();
  } catch (thrown) {
    if (!(thrown instanceof BalancerError)) throw thrown;
    throw new BalancerError('INVALID_OPTION', `${name}: ${thrown.message}`);
  }
}

/** With line and column, where the engine tells a position. */
function located(message: string, text: string): string {
  const match = /position (\d+)/.exec(message);
  if (match === null) return message;
  const before = text.slice(0, Number(match[1])).split('\n');
  return `${message} (line ${before.length}, column ${before.at(-1)!.length + 1})`;
}
