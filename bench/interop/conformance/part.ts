import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { endWithUs } from '../../../test/support/children.js';
import type { Part, Run } from '../../support/program.js';
import { goProgram } from '../support/go.js';
import { inProject } from '../support/places.js';
import { SURFACES, type SurfaceName, TRANSPORTS, type TransportName, wanted } from '../support/wire.js';

const RUNNER = 'connectrpc.com/conformance/cmd/connectconformance@v1.0.7';
/** How many cases there are with all that `features.yaml` names. */
const CASES = 857;

interface Result {
  readonly cases: number;
  readonly passed: number;
  /** The name of a case, and the first line of why it failed. */
  readonly failures: readonly { readonly name: string; readonly why: string; readonly known: boolean }[];
}

/** connectrpc's conformance suite, in client mode. */
export const conformance: Part = {
  name: 'conformance',
  targets: TRANSPORTS.flatMap((transport) => SURFACES.flatMap((surface) => targetsOf(transport, surface))),
  async run(run) {
    const runner = await goProgram(RUNNER, run);
    const rows: (string | number)[][] = [];
    for (const { transport, surface } of wanted(run)) {
      run.progress(`conformance: ${surface} over ${transport}`);
      const result = await runSuite(runner, transport, surface, run);
      const known = result.failures.filter((failure) => failure.known).length;
      const failed = result.cases - result.passed - known;
      rows.push([transport, surface, result.cases, result.passed, known, failed]);
      for (const { name, why, known } of result.failures) if (!known) run.say(`  ${name}\n    ${why}`);
      const [casesTarget, failedTarget] = targetsOf(transport, surface) as [string, string];
      run.atLeast(casesTarget, result.cases, CASES, 'cases');
      run.atMost(failedTarget, failed, 0, 'cases');
      run.record(`conformance/${transport}/${surface}`, result);
    }
    run.table(['over', 'by', 'cases', 'passed', "failed by grpc-js's doing", 'failed'], rows);
  },
};

function targetsOf(transport: TransportName, surface: SurfaceName): string[] {
  return ['cases', 'failed'].map((what) => `conformance/${transport}/${surface}/${what}`);
}

async function runSuite(
  runner: string,
  transport: TransportName,
  surface: SurfaceName,
  { signal }: Run,
): Promise<Result> {
  const known = inProject('bench/interop/conformance/known-of-grpc-js.txt');
  const args = [
    '--mode=client',
    `--conf=${inProject('bench/interop/conformance/features.yaml')}`,
    ...(transport === 'grpc-js' ? [`--known-flaky=@${known}`] : []),
    '--',
    process.execPath,
    inProject('dist/bench/interop/conformance/client.js'),
    transport,
    surface,
  ];
  const child = endWithUs(spawn(runner, args, { stdio: ['ignore', 'pipe', 'pipe'], signal }));
  // Told to end in the midst of it, it rejects; what it said until then is not asked for.
  child.on('error', () => {});
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  signal.throwIfAborted();
  return parsed(out, errors);
}

/** What the runner prints of failures, each with why on the lines below it, and the number of cases at the end. */
function parsed(out: string, errors: string): Result {
  const lines = out.split('\n');
  const failures = lines.flatMap((line, index) => {
    const [, kind, name] = /^(FAILED|INFO): (.*?)(?: (?:failed|was flaky).*)?:?$/.exec(line) ?? [];
    if (name === undefined) return [];
    return [{ name, why: (lines[index + 1] ?? '').trim(), known: kind === 'INFO' }];
  });
  const [, cases, passed] = /^Total cases: (\d+)\n(\d+) passed/m.exec(out) ?? [];
  if (cases === undefined)
    throw new Error(`the conformance runner said: ${errors.trim().split('\n').at(-1)}`);
  return { cases: Number(cases), passed: Number(passed), failures };
}
