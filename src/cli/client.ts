import { type Command, Option } from 'commander';
import { GreeterService } from '../../generated/helloworld.js';
import { type PickerName, pickerNames } from '../balancer/pickers/index.js';
import { Pool } from '../balancer/pool/pool.js';
import { sleep, systemClock } from '../base/clock.js';
import { asError, BalancerError } from '../base/errors.js';
import { parseEtcdHosts, parseIntervalMs } from './flags.js';
import { interruptible } from './interruptible.js';
import { complain, HeldLogger, lineLogger, print } from './lines.js';
import { openRegistry, parseRegistry, type RegistryTarget, serviceOf } from './registry-target.js';
import { type TransportName, transportNamed, transportOption } from './transport.js';

interface Flags {
  readonly service?: string;
  readonly reg: readonly string[];
  readonly registry?: RegistryTarget;
  readonly picker: PickerName;
  readonly interval: number;
  readonly transport: TransportName;
}

/** How long the registry may take to answer for the first time, in milliseconds. */
const FIRST_SNAPSHOT_MS = 10_000;
/** How long a call may take, waiting for a server included, in milliseconds. */
const CALL_TIMEOUT_MS = 10_000;

/** `evenkeel client`: greets the servers of a service, one call after the other, until a signal ends it. */
export function addClientCommand(program: Command): void {
  program
    .command('client')
    .description('call helloworld.Greeter, balanced over the servers found in a registry')
    .option('--service <name>', 'the name that its servers announce in etcd (default: hello_service)')
    .option(
      '--reg <urls>',
      'etcd, one or more URLs joined by commas',
      parseEtcdHosts,
      parseEtcdHosts('http://localhost:2379'),
    )
    .addOption(
      new Option('--registry <uri>', 'where its servers are found instead')
        .argParser(parseRegistry)
        .conflicts(['reg']),
    )
    .addOption(new Option('--picker <name>', 'who gets a call').choices(pickerNames).default('round-robin'))
    .addOption(transportOption())
    .option('--interval <ms>', 'the time from one call to the next', parseIntervalMs, 1_000)
    .action(async (flags: Flags) => {
      process.exitCode = await interruptible((signal) => runClient(flags, signal));
    });
}

/** Returns the exit code once nobody reads the replies any more. */
async function runClient(
  { service, reg, registry: target = { kind: 'etcd', hosts: reg }, picker, interval, transport }: Flags,
  interrupted: AbortSignal,
): Promise<number> {
  const stop = new AbortController();
  const end = () => stop.abort();
  interrupted.addEventListener('abort', end, { once: true });
  process.stdout.once('error', end);

  const logger = new HeldLogger(lineLogger);
  const registry = await openRegistry(target, logger);
  const pool = new Pool({
    registry,
    service: service ?? serviceOf(target) ?? 'hello_service',
    picker,
    ...transportNamed(transport),
  });
  try {
    await firstSnapshot(pool, stop.signal);
    if (!stop.signal.aborted) {
      logger.release();
      await greet(pool, interval, stop.signal);
    }
    return 0;
  } finally {
    await pool.close();
  }
}

/** Resolves when the registry has answered, or the signal aborts. */
async function firstSnapshot(pool: Pool, signal: AbortSignal): Promise<void> {
  // Not AbortSignal.any with AbortSignal.timeout: on Node 20 the garbage collector may take it before it aborts.
  const patience = new AbortController();
  const giveUp = () => patience.abort();
  const cancel = systemClock.after(FIRST_SNAPSHOT_MS, giveUp);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const events = pool.events(patience.signal);
    if (pool.snapshot().registry.kind !== 'waiting') return;
    for await (const event of events) {
      if (event.kind === 'registry' && event.state.kind === 'current') return;
    }
  } finally {
    cancel();
    signal.removeEventListener('abort', giveUp);
  }
  const { registry, service } = pool.snapshot();
  if (signal.aborted || registry.kind !== 'waiting') return;
  const why = registry.cause === undefined ? '' : `: ${registry.cause.message}`;
  throw new BalancerError(
    'REGISTRY_UNAVAILABLE',
    `no word of ${service} from the registry within ${FIRST_SNAPSHOT_MS / 1000} s${why}`,
  );
}

async function greet(pool: Pool, intervalMs: number, signal: AbortSignal): Promise<void> {
  const greeter = pool.stub(GreeterService);
  for (let n = 1, due = systemClock.now(); !signal.aborted; n++) {
    try {
      const { message } = await greeter.sayHello(
        { name: `world ${n}` },
        { timeoutMs: CALL_TIMEOUT_MS, signal },
      );
      print(message);
    } catch (error) {
      if (!signal.aborted) complain(asError(error).message);
    }
    // A call that took longer than the interval moves those after it: they are not made up for in a burst.
    due = Math.max(due + intervalMs, systemClock.now());
    await sleep(systemClock, due - systemClock.now(), signal);
  }
}
