import { credentials, Metadata } from '@grpc/grpc-js';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { PickerName } from '../../../src/balancer/pickers/index.js';
import { staticRegistry } from '../../../src/registry/static.js';
import type { ServerProcess } from '../../../test/support/server-process.js';
import { echoRequest } from '../calls.js';
import { type Call, failed, Load, percentFailed } from '../load.js';
import { atMost, type Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';

const SERVERS = 5;
const CALLS_PER_SECOND = 500;
const DEADLINE_MS = 1_000;
const CALM_MS = 2_000;
const GRPC_JS = 'grpc-js-round_robin';

/** grpc-js's own client with its own policy. */
function bareRoundRobin(stage: Stage, addresses: readonly string[]): Call {
  const client = new EchoClient(`ipv4:${addresses.join(',')}`, credentials.createInsecure(), {
    'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  });
  stage.atEnd(() => client.close());
  return () =>
    new Promise<void>((resolve, reject) => {
      client.unary(echoRequest(), new Metadata(), { deadline: Date.now() + DEADLINE_MS }, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
}

interface Result {
  readonly name: string;
  readonly calls: number;
  /** Of the calls that began while the server stood still: in per cent. */
  readonly failed: number;
  /** Those that another server had: what the machine is to blame for, and not the server. */
  readonly failedElsewhere: number;
}

/** Runs the loads together while one server stands still. */
async function whileStopped(
  stage: Stage,
  server: ServerProcess,
  seconds: number,
  calls: Readonly<Record<string, Call>>,
): Promise<Result[]> {
  const loads = Object.entries(calls).map(
    ([name, call]) => [name, new Load(stage, CALLS_PER_SECOND, call, `calls by ${name}`)] as const,
  );
  await stage.wait(CALM_MS);
  const stoppedAt = performance.now();
  server.signal('SIGSTOP');
  await stage.wait(seconds * 1000);
  const goesOnAt = performance.now();
  server.signal('SIGCONT');
  await stage.wait(CALM_MS);
  for (const [, load] of loads) await load.stop();
  return loads.map(([name, load]) => {
    const during = load.begun(stoppedAt, goesOnAt);
    const elsewhere = failed(during).filter(
      ({ address }) => address !== undefined && address !== server.address,
    );
    return {
      name,
      calls: during.length,
      failed: percentFailed(during),
      failedElsewhere: (100 * elsewhere.length) / during.length,
    };
  });
}

/** Two at a time: 1,000 calls/s are work enough for a small machine. */
export const stoppedServer: Scenario = {
  name: 'stopped-server',
  title: 'one of five servers SIGSTOPped for 20 s, deadline 1 s, by pickers of ours and by grpc-js',
  seconds: 20,
  limits: {
    'least-pending-failed': atMost(0.5, '% of calls'),
    'power-of-two-failed': atMost(0.5, '% of calls'),
    'round-robin-failed': atMost(1, '% of calls'),
  },
  async run(stage, seconds) {
    const servers = await stage.servers(SERVERS);
    const addresses = servers.map(({ address }) => address);
    const registry = staticRegistry(addresses);
    const by = async (picker: PickerName): Promise<Call> => {
      const echo = (await stage.pool(SERVERS, { registry, picker })).stub(EchoService);
      return () => echo.unary(echoRequest(), { timeoutMs: DEADLINE_MS });
    };
    const first = { 'least-pending': await by('least-pending'), 'power-of-two': await by('power-of-two') };
    const second = { 'round-robin': await by('round-robin'), [GRPC_JS]: bareRoundRobin(stage, addresses) };
    const results = [
      ...(await whileStopped(stage, servers[0]!, seconds, first)),
      ...(await whileStopped(stage, servers[1]!, seconds, second)),
    ];
    stage.table(
      ['while one server was stopped', 'calls', '% failed', '% failed elsewhere'],
      results.map((result) => [result.name, result.calls, result.failed, result.failedElsewhere]),
    );
    return Object.fromEntries(results.map((result) => [`${result.name}-failed`, result.failed]));
  },
};
