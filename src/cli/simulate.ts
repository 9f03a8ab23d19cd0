import { writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { pickerNames } from '../balancer/pickers/index.js';
import { asError, BalancerError } from '../errors.js';
import type { Contender, Estimate, HeldTarget, Summary } from '../simulator/index.js';
import { parseCount } from './flags.js';
import { complain, print } from './lines.js';
import { loadPicker } from './load-picker.js';
import { formatTable } from './table.js';

interface Flags {
  readonly picker?: readonly string[];
  readonly seeds: number;
  readonly json?: boolean;
  readonly report?: string;
}

/** Exit codes, as of every program that measures: a target is not met, or nothing could be measured. */
const NOT_HELD = 1;
const COULD_NOT_RUN = 2;

/** `evenkeel simulate`: pickers compared on simulated servers and calls. */
export function addSimulateCommand(program: Command): void {
  program
    .command('simulate')
    .description('compare pickers on the servers and calls of a scenario, in virtual time')
    .argument('<file>', 'the scenario: JSON, as of schema/scenario.schema.json')
    .option(
      '--picker <name|path...>',
      "pickers to compare, or modules that export one; default: the scenario's",
    )
    .option('--seeds <n>', 'how many runs of each, all different', parseCount, 5)
    .option('--json', 'print one JSON document and nothing else on standard output')
    .option('--report <file>', 'write an HTML page with plots')
    .action(async (file: string, flags: Flags) => {
      try {
        process.exitCode = await runSimulate(file, flags);
      } catch (thrown) {
        complain(missingPackage(thrown) ?? asError(thrown).message);
        process.exitCode = COULD_NOT_RUN;
      }
    });
}

async function runSimulate(file: string, flags: Flags): Promise<number> {
  const { compare, holdTargets, readPlan, readScenario } = await import('../simulator/index.js');
  const scenario = readScenario(file);
  const plan = readPlan(scenario, file);
  const contenders = await loadContenders(flags.picker, scenario.pickers, file);
  const seeds = Array.from({ length: flags.seeds }, (_, i) => i + 1);
  const bar = await progressBar();
  let summaries: Summary[];
  try {
    summaries = compare(plan, contenders, seeds, (name, part) => bar.update(part, { name }));
  } finally {
    bar.stop();
  }
  const { targets, missing } = holdTargets(plan.targets, summaries);
  if (flags.json) {
    const { name } = scenario;
    const results = summaries;
    print(
      JSON.stringify({
        program: 'simulate',
        scenario: name,
        node: process.version,
        targets,
        missing,
        results,
      }),
    );
  } else {
    print(describe(summaries, targets, missing));
  }
  if (flags.report !== undefined) {
    const { reportPage } = await import('../simulator/report/page.js');
    writeFileSync(flags.report, reportPage(plan, summaries));
    if (!flags.json) print(`\nThe report is in ${flags.report}.`);
  }
  // With pickers that were asked for, not all that has a target was to be run.
  const complete = missing.length === 0 || flags.picker !== undefined;
  return complete && targets.every(({ held }) => held) ? 0 : NOT_HELD;
}

/** The pickers that were asked for, else the scenario's, else all that there are. */
async function loadContenders(
  asked: readonly string[] | undefined,
  scenarios: readonly string[] | undefined,
  file: string,
): Promise<Contender[]> {
  const from = asked === undefined ? dirname(file) : '.';
  const contenders: Contender[] = [];
  for (const given of asked ?? scenarios ?? pickerNames) {
    const contender = await loadPicker(given, from);
    if (contenders.some(({ name }) => name === contender.name)) {
      throw new BalancerError('UNKNOWN_PICKER', `two pickers are called ${contender.name}`);
    }
    contenders.push(contender);
  }
  return contenders;
}

/** On standard error, where that is a terminal. */
async function progressBar(): Promise<{ update(part: number, payload: object): void; stop(): void }> {
  const { SingleBar, Presets } = await import('cli-progress');
  const bar = new SingleBar(
    {
      stream: process.stderr,
      format: '{bar} {percentage} %  {name}  {eta_formatted} left',
      clearOnComplete: true,
      hideCursor: false,
    },
    Presets.shades_classic,
  );
  bar.start(1, 0, { name: '' });
  return bar;
}

function describe(
  summaries: readonly Summary[],
  targets: readonly HeldTarget[],
  missing: readonly string[],
): string {
  const seeds = summaries[0]!.seeds.length;
  const calls = Math.round(summaries[0]!.calls / seeds).toLocaleString('en');
  const lines = [
    formatTable(
      ['picker', 'success %', 'mean ms', 'p50', 'p90', 'p99', 'p99.9', 'max', 'busiest/mean'],
      summaries.map(({ picker, metrics }) => [
        picker,
        spread(metrics.successRate, 100, 3),
        ...(
          [
            metrics.meanMs,
            metrics.p50Ms,
            metrics.p90Ms,
            metrics.p99Ms,
            metrics.p999Ms,
            metrics.maxMs,
          ] as const
        ).map((metric) => spread(metric)),
        spread(metrics.maxOverMeanLoad),
      ]),
    ),
    '',
    seeds === 1
      ? `One run each, of ${calls} calls.`
      : `Means of ${seeds} runs each, of ${calls} calls; +- is their 95 % confidence interval.`,
  ];
  for (const { picker, failed } of summaries) {
    const failures = Object.entries(failed);
    if (failures.length === 0) continue;
    lines.push(
      `${picker}: ${failures.map(([code, count]) => `${count.toLocaleString('en')} x ${code}`).join(', ')}`,
    );
  }
  if (targets.length + missing.length > 0) lines.push('');
  for (const { name, value, unit, limit, bound, held } of targets) {
    lines.push(
      `${held ? 'held    ' : 'NOT HELD'}  ${name}: ${Number(value.toPrecision(5))}${unit && ` ${unit}`}, ${bound} ${limit}`,
    );
  }
  for (const name of missing) lines.push(`not measured: ${name}`);
  return lines.join('\n');
}

/** The mean, and how far the true one may be from it, with as many decimals. */
function spread({ mean, margin }: Estimate, scale = 1, decimals = decimalsFor(mean)): string {
  const shown = (mean * scale).toFixed(decimals);
  return margin === undefined ? shown : `${shown} ±${(margin * scale).toFixed(decimals)}`;
}

/** For three digits that matter. */
function decimalsFor(value: number): number {
  return Math.max(0, Math.min(3, 2 - Math.floor(Math.log10(Math.max(value, 1e-3)))));
}

/** What to install, when what was thrown is that a package is not there: they are optional peers of evenkeel's. */
function missingPackage(thrown: unknown): string | undefined {
  const { code, message } = asError(thrown) as NodeJS.ErrnoException;
  const name = /^Cannot find package '([^']+)'/.exec(message)?.[1];
  if (code !== 'ERR_MODULE_NOT_FOUND' || name === undefined) return undefined;
  const all = 'npm install ajv cli-progress flatqueue, and for --report @observablehq/plot linkedom';
  return `simulate needs the package ${name}, which evenkeel leaves to you: ${all}`;
}
