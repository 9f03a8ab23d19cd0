import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { type Command, Option } from 'commander';
import type { FastifyInstance } from 'fastify';
import { type PickerName, pickerNames } from '../balancer/pickers/index.js';
import { Pool } from '../balancer/pool/pool.js';
import { joinHostPort } from '../base/endpoint.js';
import { asError, BalancerError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { GatewayService } from '../gateway/index.js';
import { checkedShutdown, onSignals } from '../server/shutdown.js';
import { assign, type ServiceSpec } from './assign.js';
import { endInOrder } from './end-in-order.js';
import {
  parseBytes,
  parseCount,
  parseEtcdHosts,
  parseHost,
  parseIntervalMs,
  parsePort,
  parseService,
} from './flags.js';
import { HeldLogger, lineLogger, print } from './lines.js';
import { openRegistry, parseRegistry, type RegistryTarget, serviceOf } from './registry-target.js';
import { type TransportName, transportNamed, transportOption } from './transport.js';

interface Flags {
  readonly service?: readonly ServiceSpec[];
  readonly host: string;
  readonly port: number;
  readonly reg: readonly string[];
  readonly registry?: RegistryTarget;
  readonly descriptors?: readonly string[];
  readonly reflect?: boolean;
  readonly all?: boolean;
  readonly picker: PickerName;
  readonly transport: TransportName;
  readonly timeout?: number;
  readonly maxBody?: number;
  readonly maxHeader?: number;
  readonly maxOpen?: number;
  readonly refuseUnknown?: boolean;
  readonly protoNames?: boolean;
  readonly emitDefaults?: boolean;
  readonly idempotent?: readonly string[];
  readonly cors?: string;
  readonly docs: boolean;
  readonly jsonOnly?: boolean;
  readonly streamIdle?: number;
  readonly skipUnservable?: boolean;
}

/** How long the servers may take to be found and to tell of their services, in milliseconds. */
const REFLECT_TIMEOUT_MS = 10_000;

/** `evenkeel gateway`: HTTP and JSON in, balanced gRPC out, until a signal ends it. */
export function addGatewayCommand(program: Command): void {
  const several = (text: string, before: readonly string[] = []) => [...before, text];
  program
    .command('gateway')
    .description('serve gRPC services found in a registry over HTTP and JSON, by their google.api.http rules')
    .option(
      '--service <name[=package.Service]>',
      'the name that its servers announce, again for each; and the service, where descriptors do not tell (default: hello_service)',
      parseService,
    )
    .option('--host <host>', 'where to listen', parseHost, 'localhost')
    .option('--port <port>', 'where to listen; 0 for any free port', parsePort, 60_001)
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
    .option('--descriptors <file>', 'a FileDescriptorSet, of "buf build -o"; again for each', several)
    .addOption(new Option('--reflect', 'ask the servers for descriptors').conflicts('descriptors'))
    .option('--all', 'serve methods without a rule, too, at POST /package.Service/Method')
    .addOption(new Option('--picker <name>', 'who gets a call').choices(pickerNames).default('round-robin'))
    .addOption(transportOption())
    .option(
      '--timeout <ms>',
      'the deadline of calls whose client gives none (default: 30000)',
      parseIntervalMs,
    )
    .option('--max-body <bytes>', 'most bytes of a request body (default: 4194304)', parseBytes)
    .option('--max-header <bytes>', 'most bytes of a request head (default: 16384)', parseBytes)
    .option('--max-open <n>', 'most requests that are open at once (default: 10000)', parseCount)
    .option(
      '--idempotent <method>',
      '/package.Service/Method, or /package.Service/*, that may be retried though its proto does not say so; again for each',
      several,
    )
    .option('--refuse-unknown', 'refuse fields that are unknown, instead of ignoring them')
    .option('--json-only', 'refuse bodies that are not said to be JSON: where browsers have credentials here')
    .option(
      '--stream-idle <ms>',
      'how long the client of a stream may send, or read, nothing (default: 60000)',
      parseIntervalMs,
    )
    .option('--skip-unservable', 'serve all that can be served, and say in a line each what cannot')
    .option('--proto-names', 'name fields in answers as the proto does, not in lowerCamelCase')
    .option('--emit-defaults', 'answer with fields that have their default value, too')
    .option('--cors <origins>', 'let pages of these origins call: joined by commas, or *')
    .option('--no-docs', 'do not serve /openapi.json and /docs')
    .action(runGateway);
}

async function runGateway(flags: Flags): Promise<void> {
  const { clock, lameDuckMs, drainTimeoutMs } = checkedShutdown({});
  const pools = new Map<string, Pool>();
  const closing = new AbortController();
  // What the registry has to say is for when there is a gateway.
  const logger = new HeldLogger(lineLogger);
  let app: FastifyInstance | undefined;
  const close = () => endInOrder({ closing, app, pools: pools.values() }, lameDuckMs, clock);
  try {
    const services = await servicesOf(flags, pools, logger, closing.signal);
    const { gatewayServer } = await import('../gateway/index.js');
    const { timeout, maxBody, maxHeader, maxOpen, cors, streamIdle } = flags;
    const server = await gatewayServer({
      services,
      all: flags.all ?? false,
      json: {
        unknownFields: flags.refuseUnknown ? 'refuse' : 'ignore',
        useProtoFieldName: flags.protoNames ?? false,
        alwaysEmitImplicit: flags.emitDefaults ?? false,
      },
      docs: flags.docs,
      jsonOnly: flags.jsonOnly ?? false,
      skipUnservable: flags.skipUnservable ?? false,
      ...(streamIdle !== undefined && { idleTimeoutMs: streamIdle }),
      ...(timeout !== undefined && { timeoutMs: timeout }),
      ...(maxBody !== undefined && { maxBodyBytes: maxBody }),
      ...(maxHeader !== undefined && { maxHeaderBytes: maxHeader }),
      ...(maxOpen !== undefined && { maxOpenRequests: maxOpen }),
      ...(cors !== undefined && { cors: { origin: cors === '*' ? '*' : cors.split(',') } }),
      closing: closing.signal,
      drainTimeoutMs,
      logger,
    });
    const url = await listen(server, flags);
    app = server;
    // Before it serves there is nothing to end in good order: a signal ends the process at once.
    onSignals({ exit: true }, clock, close);
    print(`serving ${[...pools.keys()].join(', ')} at ${url}`);
    logger.release();
  } catch (error) {
    await close();
    throw error;
  }
}

/** The services that the flags name, and a pool for each name in the registry. */
async function servicesOf(
  flags: Flags,
  pools: Map<string, Pool>,
  logger: Logger,
  signal: AbortSignal,
): Promise<readonly GatewayService[]> {
  const { descriptors, reflect = false, reg, picker, transport, idempotent = [], skipUnservable } = flags;
  const { registry: target = { kind: 'etcd', hosts: reg } } = flags;
  // Where the registry names the servers, --service says what they serve.
  const service = (flags.service ?? [HELLO]).map((spec) => ({
    ...spec,
    name: serviceOf(target) ?? spec.name,
  }));
  if (!reflect && descriptors === undefined) {
    throw new BalancerError(
      'INVALID_OPTION',
      'what do the servers serve? Say --descriptors FILE, as "buf build -o FILE" writes it, or --reflect to ask them',
    );
  }
  const { readDescriptors, reflectDescriptors } = await import('../gateway/index.js');
  const skip = skipUnservable ? (reason: string) => logger.warn(`not served: ${reason}`) : undefined;
  const methods = Object.fromEntries(idempotent.map((method) => [method, { idempotent: true }]));
  const registry = await openRegistry(target, logger);
  const poolOf = (name: string): Pool => {
    const known = pools.get(name);
    if (known !== undefined) return known;
    const pool = new Pool({ registry, service: name, picker, methods, ...transportNamed(transport) });
    pools.set(name, pool);
    return pool;
  };
  if (descriptors !== undefined) {
    const sets = descriptors.map((file) => readFile(file, (bytes) => readDescriptors(bytes, { skip })));
    return assign(service, sets).map(({ name, ...rest }) => ({ pool: poolOf(name), ...rest }));
  }
  const services: GatewayService[] = [];
  for (const name of new Set(service.map((spec) => spec.name))) {
    const pool = poolOf(name);
    const own = await reflectDescriptors(pool, { timeoutMs: REFLECT_TIMEOUT_MS, signal }, { skip });
    const specs = service.filter((spec) => spec.name === name);
    services.push(...assign(specs, [own]).map((each) => ({ pool, ...each })));
  }
  return services;
}

const HELLO: ServiceSpec = { name: 'hello_service', service: undefined };

/** Reads a file; what is wrong with it is said with its name. */
function readFile<T>(file: string, read: (bytes: Buffer) => T): T {
  try {
    return read(readFileSync(file));
  } catch (error) {
    throw new BalancerError('INVALID_OPTION', `--descriptors ${file}: ${asError(error).message}`);
  }
}

async function listen(app: FastifyInstance, { host, port }: Flags): Promise<string> {
  const address = joinHostPort(host, port);
  try {
    await app.listen({ host, port });
  } catch (thrown) {
    const error = asError(thrown) as NodeJS.ErrnoException;
    const inUse = error.code === 'EADDRINUSE';
    const reason = inUse
      ? 'it is in use by another process; choose another port, or 0 for any free one'
      : error.message;
    throw new BalancerError('LISTEN_FAILED', `cannot listen on ${address}: ${reason}`, { cause: error });
  }
  const { port: bound } = app.server.address() as AddressInfo;
  return `http://${joinHostPort(host, bound)}`;
}
