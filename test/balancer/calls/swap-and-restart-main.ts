/**
 * Calls of all kinds over three real servers, while the picker is swapped and one server after another is restarted:
 * told to stop, then killed, in turn. Prints what became of the calls as one JSON document, and leaves it to what is
 * left of the pool, if anything, to keep the process from ending.
 *
 *   node dist/test/calls/swap-and-restart-main.js '{"calls":100000}'
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceError } from '@grpc/grpc-js';
import { EchoClient, type EchoReply, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { CallError, MemoryRegistry, Pool, pickerNames } from '../../../src/index.js';
import { ServerProcess } from '../../support/server-process.js';
import { request } from './drive.js';

export interface Options {
  readonly calls: number;
  /** Default: as many as can be made. */
  readonly callsPerSecond?: number;
}

export interface Report {
  readonly calls: number;
  readonly answered: number;
  /** Calls that were answered with another's answer. */
  readonly wrong: number;
  /** How many calls failed, by their code, their details, and what was done to their server meanwhile. */
  readonly failures: Readonly<Record<string, number>>;
  readonly swaps: number;
  readonly restarts: { readonly SIGTERM: number; readonly SIGKILL: number };
  /** Servers that had calls in the end, when the last one was back: all of them, or the load was not balanced. */
  readonly served: number;
  readonly pendingAtEnd: number;
  readonly waitingAtEnd: number;
  readonly durationMs: number;
}

const CONCURRENCY = 64;
const SERVERS = 3;
const SWAP_EVERY_MS = 50;
const RESTART_EVERY_MS = 1_500;

const { calls, callsPerSecond = Number.POSITIVE_INFINITY } = JSON.parse(process.argv[2] ?? '{}') as Options;

const registry = new MemoryRegistry();
const start = (address = '127.0.0.1:0') =>
  ServerProcess.start({
    service: 'echo',
    address,
    announceTo: { kind: 'ipc' },
    leases: registry.leases,
    ttlSeconds: 2,
    lameDuckMs: 100,
  });
const servers = await Promise.all(Array.from({ length: SERVERS }, () => start()));
const pool = new Pool({ registry, service: 'echo' });
const stub = pool.stub(EchoService);
const client = pool.client(EchoClient);
while (pool.snapshot().ready < SERVERS) await sleep(10);

interface Strike {
  readonly signal: 'SIGTERM' | 'SIGKILL';
  /** When there was a server again, on the clock of `performance.now()`. */
  readonly until: number;
}
/** The last time that a server was told to stop or killed, by its address. */
const strikes = new Map<string, Strike>();
const restarts = { SIGTERM: 0, SIGKILL: 0 };
const failures: Record<string, number> = {};
const startedAt = performance.now();
let made = 0;
let answered = 0;
let wrong = 0;
let swaps = 0;
let over = false;

/** One call of the kind that its number says; whether the answer was its own. */
async function call(number: number): Promise<boolean> {
  const payload = Buffer.from(`${number}`);
  const own = (reply: EchoReply | undefined) => reply?.payload.equals(payload) === true;
  const message = request(payload, { count: 2 });
  switch (number % 16) {
    case 0: {
      const replies: EchoReply[] = [];
      for await (const reply of stub.serverStream(message)) replies.push(reply);
      return replies.length === 2 && replies.every(own);
    }
    case 1:
      return own(await stub.clientStream([message]));
    case 2: {
      const replies: EchoReply[] = [];
      for await (const reply of stub.bidi([message, message])) replies.push(reply);
      return replies.length === 2 && replies.every(own);
    }
    case 3:
      return own(
        await new Promise<EchoReply>((resolve, reject) => {
          client.unary(message, (error, reply) => (error === null ? resolve(reply) : reject(error)));
        }),
      );
    default:
      return own(await stub.unary(message));
  }
}

async function makeCalls(): Promise<void> {
  while (made < calls) {
    const number = made++;
    const early = startedAt + (number * 1_000) / callsPerSecond - performance.now();
    if (early > 0) await sleep(early);
    const begun = performance.now();
    try {
      if (await call(number)) answered++;
      else wrong++;
    } catch (thrown) {
      const { code, details } = thrown as ServiceError;
      const failure = `${code} ${details}, ${strikeDuring(begun, thrown)}`;
      failures[failure] = (failures[failure] ?? 0) + 1;
    }
  }
}

/** What had been done to the server of the call; to any server, where the client does not say which it was. */
function strikeDuring(begun: number, thrown: unknown): string {
  const address = thrown instanceof CallError ? thrown.address : undefined;
  for (const [struck, { signal, until }] of strikes) {
    if (begun <= until && (address ?? struck) === struck) return signal;
  }
  return 'out of the blue';
}

async function swapPickers(): Promise<void> {
  for (; !over; swaps++) {
    pool.setPicker(pickerNames[swaps % pickerNames.length]!);
    await sleep(SWAP_EVERY_MS);
  }
}

async function restartServers(): Promise<void> {
  for (let turn = 0; ; turn++) {
    for (const wakeAt = performance.now() + RESTART_EVERY_MS; performance.now() < wakeAt; await sleep(20)) {
      if (over) return;
    }
    const { address } = servers[turn % SERVERS]!;
    const signal = turn % 2 === 0 ? 'SIGKILL' : 'SIGTERM';
    strikes.set(address, { signal, until: Number.POSITIVE_INFINITY });
    await servers[turn % SERVERS]!.kill(signal);
    servers[turn % SERVERS] = await start(address);
    strikes.set(address, { signal, until: performance.now() });
    restarts[signal]++;
  }
}

const disturbances = [swapPickers(), restartServers()];
await Promise.all(Array.from({ length: CONCURRENCY }, makeCalls));
const durationMs = performance.now() - startedAt;
over = true;
await Promise.all(disturbances);

// The last server may have been restarted just now, and its row is new: it has its share when it is there.
while (pool.snapshot().ready < SERVERS) await sleep(10);
pool.setPicker('round-robin');
for (let turn = 0; turn < SERVERS; turn++) await stub.unary(request(Buffer.alloc(0)));

const { subchannels, waiting } = pool.snapshot();
const report: Report = {
  calls,
  answered,
  wrong,
  failures,
  swaps,
  restarts,
  // The row of a server that was restarted just now may still drain.
  served: subchannels.filter(({ ids, picked }) => ids.length > 0 && picked > 0).length,
  pendingAtEnd: subchannels.reduce((sum, { pending }) => sum + pending, 0),
  waitingAtEnd: waiting,
  durationMs,
};
await pool.close();
// Told to stop, and not killed: a lease that nobody revokes keeps the registry's process until it ends.
await Promise.all(servers.map((server) => server.kill('SIGTERM')));
await registry.close();
process.stdout.write(`${JSON.stringify(report)}\n`);
