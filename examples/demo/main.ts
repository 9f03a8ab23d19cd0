// What evenkeel does, shown on real server processes and one client: `npm run demo [-- --json] [--registry KIND]`.
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { asError } from '../../src/base/errors.js';
import type { RegistryKind } from './registries.js';
import { closingTable } from './render.js';
import { runDemo } from './run.js';
import { Screen } from './screen.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

class Interrupted extends Error {
  constructor(readonly signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
  }
}

process.exitCode = await main();

/** 0 when all held, 1 when something did not, 2 when it could not run, 128 + n when it was interrupted. */
async function main(): Promise<number> {
  // Whoever reads may stop reading; the demo goes on, and cleans up.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const interrupt = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => interrupt.abort(new Interrupted(signal));
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    const { json, registry } = parseFlags();
    const screen = new Screen(json ? process.stderr : process.stdout);
    const report = await runDemo(registry, screen, interrupt.signal);
    if (json) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
    else process.stdout.write(`\n${closingTable(report)}\n`);
    return report.held ? 0 : 1;
  } catch (thrown) {
    if (interrupt.signal.aborted)
      return 128 + constants.signals[(interrupt.signal.reason as Interrupted).signal];
    process.stderr.write(
      `demo: could not run: ${asError(thrown)
        .message.trim()
        .replace(/\s*\n\s*/g, ' ')}\n`,
    );
    return 2;
  }
}

function parseFlags(): { json: boolean; registry: RegistryKind | undefined } {
  const { json, registry } = parseArgs({
    options: { json: { type: 'boolean', default: false }, registry: { type: 'string' } },
  }).values;
  if (registry !== undefined && registry !== 'etcd' && registry !== 'memory') {
    throw new Error(`--registry ${JSON.stringify(registry)} is neither etcd nor memory`);
  }
  return { json, registry };
}
