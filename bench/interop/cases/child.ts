// Runs gRPC's interop cases in a network namespace: `child.js SERVER TRANSPORT SURFACE`. One line of JSON for each case.
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { asError } from '../../../src/base/errors.js';
import { endWithUs } from '../../../test/support/children.js';
import {
  TestServiceClient,
  TestServiceService,
  UnimplementedServiceClient,
  UnimplementedServiceService,
} from '../generated/grpc/testing/test.js';
import { promised } from '../support/promised.js';
import { poolOf, type TransportName } from '../support/wire.js';
import { CASES } from './cases.js';

/** Nobody else is in the namespace. */
const PORT = '10000';
const START_MS = 10_000;
const MAX_CASE_MS = 10_000;

// The parent's end, whatever it was, is this one's and the server's.
process.stdin.on('end', () => process.exit(1)).resume();
process.on('SIGTERM', () => process.exit(1));

const [server, transport, surface] = process.argv.slice(2);
endWithUs(spawn(server as string, ['--port', PORT], { stdio: 'ignore' }));
const pool = poolOf([`127.0.0.1:${PORT}`], transport as TransportName);
await pool.ready({ timeoutMs: START_MS });
const clients =
  surface === 'stub'
    ? { test: pool.stub(TestServiceService), unimplemented: pool.stub(UnimplementedServiceService) }
    : {
        test: promised(pool.client(TestServiceClient), TestServiceService),
        unimplemented: promised(pool.client(UnimplementedServiceClient), UnimplementedServiceService),
      };
for (const [name, run] of Object.entries(CASES)) {
  const late = delay(MAX_CASE_MS).then(() => {
    throw new Error(`not over after ${MAX_CASE_MS / 1_000} s`);
  });
  const why = await Promise.race([run(clients), late]).then(
    () => undefined,
    (thrown) => asError(thrown).message.trim().split('\n')[0],
  );
  console.log(JSON.stringify({ name, why }));
}
const left = pool.snapshot().pending;
console.log(JSON.stringify({ name: 'nothing_pending', why: left === 0 ? undefined : `${left} calls are` }));
process.exit(0);
