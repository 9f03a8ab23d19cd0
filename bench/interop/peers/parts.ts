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

/** All checks of all ways, the graceful stop, and that no call is left over. */
const CHECKS = WAYS.reduce((sum, { checks }) => sum + Object.keys(checks).length + 1, 1);

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
      for (const { transport, surface } of wanted(run)) {
        const what = `${peer.name}: ${surface} over ${transport}`;
        run.progress(what);
        const began = performance.now();
        const failures = await failuresOf(start, transport, surface, run);
        for (const { check, why } of failures) run.say(`  ${what}: ${check}: ${why}`);
        run.atLeast(target(transport, surface), CHECKS - failures.length, CHECKS, 'checks');
        run.record(`${peer.name}/${transport}/${surface}`, { failures, ms: performance.now() - began });
      }
    },
  };
}

async function failuresOf(
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
    await using peer = await start(wire.tls !== undefined, signal);
    await using pool = poolOf([named(peer.address)], transport, wire);
    await pool.ready({ signal, timeoutMs: READY_MS });
    const echo = stubOf(pool, surface);
    for (const [check, run] of Object.entries<Check>(checks))
      await attempt(`${name}, ${check}`, () => run(echo));
    await attempt(`${name}, nothing pending`, async () => {
      const { pending, waiting } = pool.snapshot();
      if (pending + waiting > 0) throw new Error(`${pending} calls are pending, ${waiting} wait`);
    });
  }
  await using one = await start(false, signal);
  await using other = await start(false, signal);
  await using pool = poolOf([one.address, other.address], transport);
  while (pool.snapshot().ready < 2) await delay(10, undefined, { signal });
  await attempt('graceful stop', async () => {
    await stopWhileCallsRun(stubOf(pool, surface), () => one.process.stop());
    await one.process.stopped();
  });
  return failures;
}

function stubOf(pool: Pool, surface: SurfaceName): EchoStub {
  return surface === 'stub' ? pool.stub(EchoService) : promised(pool.client(EchoClient), EchoService);
}

/** A certificate is for a name: TLS knows no IP addresses as names of servers (RFC 6066). */
function named(address: string): string {
  return address.replace('127.0.0.1', 'localhost');
}
