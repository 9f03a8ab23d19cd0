import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { asError } from '../../../src/base/errors.js';
import type { Pool } from '../../../src/index.js';
import type { Part, Run } from '../../support/program.js';
import { promised } from '../support/promised.js';
import {
  poolOf,
  SURFACES,
  type SurfaceName,
  TRANSPORTS,
  type TransportName,
  type WireOptions,
  wanted,
} from '../support/wire.js';
import { type Check, type EchoStub, KINDS, REST } from './checks.js';
import { type Peer, type Start, TLS_FILES } from './peer.js';
import { proxies } from './proxies.js';
import { servers } from './servers.js';
import { stopWhileCallsRun } from './stopping.js';

const READY_MS = 20_000;
const MAX_CHECK_MS = 20_000;
const TLS: WireOptions = { tls: { ca: readFileSync(TLS_FILES.ca) } };

const MAX_ENDING_MS = 5_000;
const NOTHING_PENDING = 'nothing pending';
const GRACEFUL_STOP = 'graceful stop';

/** How connections are made, and what is checked over them. */
const WAYS: readonly { readonly name: string; readonly wire: WireOptions; readonly checks: typeof KINDS }[] =
  [
    { name: 'plain', wire: {}, checks: { ...KINDS, ...REST } },
    {
      name: 'gzip',
      wire: { compression: 'gzip' },
      checks: { ...KINDS, 'big messages': REST['big messages']! },
    },
    { name: 'TLS', wire: TLS, checks: { ...KINDS, ...REST } },
  ];

/** Whether a check is for a peer, over this transport. */
function isFor(check: string, { without = {} }: Peer, transport: TransportName): boolean {
  const left = without[check];
  return left === undefined || (left.over !== undefined && left.over !== transport);
}

/** How many checks there are: those of all ways, that nothing is pending after each, and the graceful stop. */
function countOf(peer: Peer, transport: TransportName): number {
  const names = WAYS.flatMap(({ checks }) => [...Object.keys(checks), NOTHING_PENDING]);
  return [...names, GRACEFUL_STOP].filter((name) => isFor(name, peer, transport)).length;
}

interface Failure {
  readonly check: string;
  readonly why: string;
}

/** One part for each peer: all that there is of gRPC, against a server or through a proxy of somebody else's. */
export const peers: readonly Part[] = [...servers, ...proxies].map(partOf);

function partOf(peer: Peer): Part {
  const target = (transport: TransportName, surface: SurfaceName) =>
    `${peer.name}/${transport}/${surface}/passed`;
  return {
    name: peer.name,
    targets: TRANSPORTS.flatMap((transport) => SURFACES.map((surface) => target(transport, surface))),
    async run(run) {
      const start = await peer.prepare(run);
      for (const [check, { why, over }] of Object.entries(peer.without ?? {})) {
        run.say(`without   ${peer.name}: ${check}${over === undefined ? '' : ` over ${over}`}: ${why}`);
      }
      for (const { transport, surface } of wanted(run)) {
        const what = `${peer.name}: ${surface} over ${transport}`;
        run.progress(what);
        const began = performance.now();
        const failures = await failuresOf(peer, start, transport, surface, run);
        const count = countOf(peer, transport);
        for (const { check, why } of failures) run.say(`  ${what}: ${check}: ${why}`);
        run.atLeast(target(transport, surface), count - failures.length, count, 'checks');
        run.record(`${peer.name}/${transport}/${surface}`, { failures, ms: performance.now() - began });
      }
    },
  };
}

async function failuresOf(
  peer: Peer,
  start: Start,
  transport: TransportName,
  surface: SurfaceName,
  { signal }: Run,
): Promise<Failure[]> {
  const failures: Failure[] = [];
  const attempt = async (check: string, run: () => Promise<void>) => {
    signal.throwIfAborted();
    const late = delay(MAX_CHECK_MS, undefined, { ref: false }).then(() => {
      throw new Error(`not over after ${MAX_CHECK_MS / 1_000} s`);
    });
    try {
      await Promise.race([run(), late]);
    } catch (thrown) {
      failures.push({ check, why: asError(thrown).message.trim().split('\n')[0] as string });
    }
  };
  for (const { name, wire, checks } of WAYS) {
    await using listening = await start(wire.tls !== undefined, signal);
    await using pool = poolOf([named(listening.address)], transport, wire);
    await pool.ready({ signal, timeoutMs: READY_MS });
    const echo = stubOf(pool, surface);
    for (const [check, run] of Object.entries<Check>(checks)) {
      if (isFor(check, peer, transport)) await attempt(`${name}, ${check}`, () => run(echo));
    }
    await attempt(`${name}, ${NOTHING_PENDING}`, () => nothingPending(pool, signal));
  }
  if (!isFor(GRACEFUL_STOP, peer, transport)) return failures;
  await using one = await start(false, signal);
  await using other = await start(false, signal);
  await using pool = poolOf([one.address, other.address], transport);
  while (pool.snapshot().ready < 2) await delay(10, undefined, { signal });
  await attempt(GRACEFUL_STOP, async () => {
    await stopWhileCallsRun(stubOf(pool, surface), () => one.process.stop());
    await one.process.stopped();
  });
  return failures;
}

/** A call that was cancelled is over when its transport says so, a little later. */
async function nothingPending(pool: Pool, signal: AbortSignal): Promise<void> {
  const until = performance.now() + MAX_ENDING_MS;
  for (;;) {
    const { pending, waiting } = pool.snapshot();
    if (pending + waiting === 0) return;
    if (performance.now() > until) throw new Error(`${pending} calls are pending, ${waiting} wait`);
    await delay(10, undefined, { signal });
  }
}

function stubOf(pool: Pool, surface: SurfaceName): EchoStub {
  return surface === 'stub' ? pool.stub(EchoService) : promised(pool.client(EchoClient), EchoService);
}

/** A certificate is for a name: TLS knows no IP addresses as names of servers (RFC 6066). */
function named(address: string): string {
  return address.replace('127.0.0.1', 'localhost');
}
