import { statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { pickerNames } from '../balancer/pickers/index.js';
import { asError, BalancerError } from '../base/errors.js';
import { printable } from '../base/printable.js';
import type { Contender, HeldTarget, Summary } from '../simulator/index.js';
import { parseCount } from './flags.js';
import { complain, print, printLines } from './lines.js';
import { loadPicker } from './load-picker.js';
import { summaryTable } from './summary-table.js';

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
    .usage('<file> [options]')
    .argument('[file]', 'the scenario: JSON, as of schema/scenario.schema.json')
    .option(
      '--picker <name|path...>',
      "pickers to compare, or modules that export one; default: the scenario's",
    )
    .option('--seeds <n>', 'how many runs of each, all different', parseCount, 5)
    .option('--json', 'print one JSON document and nothing else on standard output')
    .option('--report <file>', 'write an HTML page with plots')
    .action(async (file: string | undefined, flags: Flags) => {
      try {
        process.exitCode = await runSimulate(file ?? noFile(flags), flags);
      } catch (thrown) {
        complain(missingPackage(thrown) ?? asError(thrown).message);
        process.exitCode = COULD_NOT_RUN;
      }
    });
}

/** `--picker` takes all that follows, and so the scenario, too, when that comes last. */
function noFile({ picker = [] }: Flags): never {
  const last = picker.at(-1);
  const cure = last?.endsWith('.json')
    ? `put ${last} before --picker, which takes all that follows`
    : 'name its file: evenkeel simulate <file>';
  throw new BalancerError('INVALID_OPTION', `no scenario is given: ${cure}`);
}

async function runSimulate(file: string, flags: Flags): Promise<number> {
  if (flags.report !== undefined) checkReport(flags.report);
  const { compare, holdTargets, readPlan, readScenario } = await import('../simulator/index.js');
  const scenario = readScenario(file);
  const plan = readPlan(scenario, file);
  const contenders = await loadContenders(flags.picker, scenario.pickers, file);
  const seeds = Array.from({ length: flags.seeds }, (_, i) => i + 1);
  const bar = await progressBar();
  let summaries: Summary[];
  try {
    summaries = compare(plan, contenders, seeds, (name, part) => bar.update(part, { name: printable(name) }));
  } finally {
    bar.stop();
  }
  if (summaries[0]!.calls === 0) {
    const span = `from warmUpMs, ${plan.warmUpMs}, to durationMs, ${plan.durationMs}`;
    throw new BalancerError(
      'INVALID_OPTION',
      `${file}: no call came ${span}: make it longer, or arrivals more`,
    );
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
    printLines(summaryTable(summaries));
    const held = describeTargets(targets, missing);
    if (held.length > 0) printLines(`\n${held.map(printable).join('\n')}`);
  }
  if (flags.report !== undefined) {
    const { reportPage } = await import('../simulator/report/page.js');
    writeFileSync(flags.report, reportPage(plan, summaries));
    if (!flags.json) printLines(`\nThe report is in ${printable(flags.report)}.`);
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
      const which = `picker ${given} is called ${contender.name}, as another one is`;
      throw new BalancerError('UNKNOWN_PICKER', `${which}: give it a name of its own, or leave it out`);
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
      // Or a first Ctrl-C would end the bar, and not the program.
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  bar.start(1, 0, { name: '' });
  return bar;
}

function describeTargets(targets: readonly HeldTarget[], missing: readonly string[]): string[] {
  return [
    ...targets.map(({ name, value, unit, limit, bound, held }) => {
      const shown = `${Number(value.toPrecision(5))}${unit && ` ${unit}`}`;
      return `${held ? 'held    ' : 'NOT HELD'}  ${name}: ${shown}, ${bound} ${limit}`;
    }),
    ...missing.map((name) => `not measured: ${name}`),
  ];
}

/** That a report can be written there, before the time is spent that it reports of. */
function checkReport(path: string): void {
  const directory = dirname(path);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new BalancerError('INVALID_OPTION', `--report ${path}: there is no directory ${directory}`);
  }
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new BalancerError('INVALID_OPTION', `--report ${path} is a directory: name a file`);
  }
}

/** What to install, when what was thrown is that a package is not there: they are optional peers of evenkeel's. */
function missingPackage(thrown: unknown): string | undefined {
  const { code, message } = asError(thrown) as NodeJS.ErrnoException;
  const name = /^Cannot find package '([^']+)'/.exec(message)?.[1];
  if (code !== 'ERR_MODULE_NOT_FOUND' || name === undefined) return undefined;
  const all = 'npm install ajv cli-progress flatqueue, and for --report @observablehq/plot linkedom';
  return `simulate needs the package ${name}, which evenkeel leaves to you: ${all}`;
}
