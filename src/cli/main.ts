#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { asError, BalancerError } from '../base/errors.js';
import { addClientCommand } from './client.js';
import { addGatewayCommand } from './gateway.js';
import { complain } from './lines.js';
import { addServerCommand } from './server.js';
import { addSimulateCommand } from './simulate.js';

/** Exit codes: a command line that cannot be meant, and everything else that fails. */
const USAGE = 2;
const FAILURE = 1;

const program = new Command('evenkeel')
  .description(
    'gRPC servers that announce themselves in etcd, and clients and gateways that balance over them',
  )
  .showSuggestionAfterError(false)
  .configureOutput({ outputError: (text) => complain(text.replace(/^error: /, '')) })
  .exitOverride();
addServerCommand(program);
addClientCommand(program);
addGatewayCommand(program);
addSimulateCommand(program);

// Whoever reads may stop reading (`evenkeel client | head -3`). What that means is for each command to say.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

try {
  await program.parseAsync();
} catch (thrown) {
  process.exitCode = exitCodeFor(thrown);
}

/** Says what went wrong in one line, unless commander has, and returns the exit code for it. */
function exitCodeFor(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : USAGE;
  complain(asError(thrown).message);
  return thrown instanceof BalancerError && isUsage(thrown) ? USAGE : FAILURE;
}

function isUsage({ code }: BalancerError): boolean {
  return code === 'INVALID_OPTION' || code === 'INVALID_ADDRESS' || code === 'UNKNOWN_PICKER';
}
