import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { endWithUs } from '../../../test/support/children.js';
import type { Part, Run } from '../../support/program.js';
import { Skipped } from '../../support/program.js';
import { required } from '../support/command.js';
import { goProgram } from '../support/go.js';
import { inProject } from '../support/places.js';
import { SURFACES, TRANSPORTS, wanted } from '../support/wire.js';
import { CASES } from './cases.js';

const SERVER = 'google.golang.org/grpc/interop/server@v1.85.0';

interface Result {
  readonly name: string;
  readonly why?: string;
}

/**
 * gRPC's own interop cases, against grpc-go's interop server. It listens on every interface: it gets a network of its own,
 * in which there is loopback and nothing else.
 */
export const cases: Part = {
  name: 'cases',
  targets: TRANSPORTS.flatMap((transport) =>
    SURFACES.map((surface) => `cases/${transport}/${surface}/passed`),
  ),
  async run(run) {
    const unshare = await namespace(run.signal);
    const server = await goProgram(SERVER, run);
    for (const { transport, surface } of wanted(run)) {
      run.progress(`cases: ${surface} over ${transport}`);
      const results = await runCases([...unshare, ...node(server, transport, surface)], run);
      const failed = results.filter(({ why }) => why !== undefined);
      for (const { name, why } of failed) run.say(`  ${name}: ${why}`);
      run.record(`cases/${transport}/${surface}`, results);
      const all = Object.keys(CASES).length + 1;
      run.atLeast(`cases/${transport}/${surface}/passed`, results.length - failed.length, all, 'cases');
    }
  },
};

function node(...args: readonly string[]): string[] {
  return [process.execPath, inProject('dist/bench/interop/cases/child.js'), ...args];
}

/** What runs a command in a network of its own, as root or as whom the kernel lets. */
async function namespace(signal: AbortSignal): Promise<string[]> {
  const [unshare] = [required('unshare'), required('ip')];
  const root = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  const command = [unshare, '--net', ...root, 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
  const [code] = await once(spawn(unshare, [...command.slice(1), 'true'], { signal }), 'exit');
  if (code !== 0) throw new Skipped('no network namespace may be made here');
  return command;
}

async function runCases([program, ...args]: string[], { signal }: Run): Promise<Result[]> {
  const child = endWithUs(spawn(program as string, args, { stdio: ['pipe', 'pipe', 'pipe'], signal }));
  child.on('error', () => {});
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  signal.throwIfAborted();
  const results = out.split('\n').filter((line) => line !== '');
  if (results.length === 0)
    throw new Error(`the interop cases did not begin: ${errors.trim().split('\n').at(-1)}`);
  return results.map((line) => JSON.parse(line) as Result);
}
