// What evenkeel does, shown on real server processes and one client: `npm run demo [-- --json] [--registry KIND]
// [--transport NAME]`.
import { parseArgs } from 'node:util';
import { asError } from '../../src/base/errors.js';
import { printable } from '../../src/base/printable.js';
import { interruptible } from '../../src/cli/interruptible.js';
import type { TransportName } from '../../src/cli/transport.js';
import type { RegistryKind } from './registries.js';
import { closingTable } from './render.js';
import { runDemo } from './run.js';
import { Screen } from './screen.js';

// Whoever reads may stop reading; the demo goes on, and cleans up.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.exitCode = await interruptible(main);

/** 0 when all held, 1 when something did not, 2 when it could not run. */
async function main(interrupted: AbortSignal): Promise<number> {
  try {
    const { json, registry, transport } = parseFlags();
    const screen = new Screen(json ? process.stderr : process.stdout);
    const report = await runDemo({ registry, transport }, screen, interrupted);
    if (json) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
    else process.stdout.write(`\n${closingTable(report)}\n`);
    return report.held ? 0 : 1;
  } catch (thrown) {
    if (interrupted.aborted) throw thrown;
    process.stderr.write(`demo: could not run: ${printable(asError(thrown).message.trim())}\n`);
    return 2;
  }
}

function parseFlags(): { json: boolean; registry: RegistryKind | undefined; transport: TransportName } {
  const { json, registry, transport } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      registry: { type: 'string' },
      transport: { type: 'string', default: 'grpc-js' },
    },
  }).values;
  if (registry !== undefined && registry !== 'etcd' && registry !== 'memory') {
    throw new Error(`--registry ${JSON.stringify(registry)} is neither etcd nor memory`);
  }
  if (transport !== 'grpc-js' && transport !== 'http2') {
    throw new Error(`--transport ${JSON.stringify(transport)} is neither grpc-js nor http2`);
  }
  return { json, registry, transport };
}
