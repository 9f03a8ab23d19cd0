import { setMaxListeners } from 'node:events';
import { Command, InvalidArgumentError, Option } from 'commander';
import { asError } from '../../src/base/errors.js';
import { printable } from '../../src/base/printable.js';
import { interruptible, undisturbed } from '../../src/cli/interruptible.js';
import { formatTable, rounded } from '../../src/cli/table.js';
import { Terminal } from './terminal.js';

/** A measured value, held against its limit. */
export interface Target {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly limit: number;
  /** Whether the value must be at most or at least the limit. */
  readonly bound: 'at most' | 'at least';
  readonly held: boolean;
}

/** What a part of a program may do. */
export interface Run {
  /** Aborted by Ctrl-C and its like: whatever was started is to be ended, and the part to return or throw. */
  readonly signal: AbortSignal;
  /**
   * Does work that gives way to nothing else until it is done. Meanwhile a signal ends the process at once, as if nobody
   * listened: so what was started by then must end by itself with its parent.
   */
  busy<T>(work: () => T): Promise<T>;
  /** What `--seconds` says, where the program has it and it was given. */
  readonly seconds: number | undefined;
  /** What `--transport` says, where the program has it and it was given. */
  readonly transport: string | undefined;
  /** A line for people to read, while it goes on. */
  say(line: string): void;
  /** How far it is: a line that the next one takes the place of. */
  progress(line: string): void;
  /** A table for people to read. Numbers are printed as they are, and aligned to the right. */
  table(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): void;
  atMost(name: string, value: number, limit: number, unit: string): void;
  atLeast(name: string, value: number, limit: number, unit: string): void;
  /** Puts a value into the document beside its targets. */
  record(key: string, value: unknown): void;
}

/** Thrown by a part that cannot be run where it is, for want of a tool say: it is told, and is no failure. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}

/** What `--only` may name. */
export interface Part {
  readonly name: string;
  /** The names of the targets that it measures. */
  readonly targets: readonly string[];
  /** Neighbours with the same word are run at the same time: parts that mostly wait. Default: each on its own. */
  readonly together?: string;
  run(run: Run): Promise<void>;
}

export interface Program {
  readonly name: string;
  readonly description: string;
  readonly parts: readonly Part[];
  /** Prints what sums up the parts that were run, once they are over. */
  readonly sumUp?: (run: Run) => void;
  /** What `--seconds` is for. Without it the program does not have it. */
  readonly seconds?: string;
  /** An option of its own, taken before any part is run; throws what is wrong with it, in one line. */
  readonly option?: { readonly flags: string; readonly description: string; take(value: string): void };
  /** The values that `--transport` may have. Without them the program does not have it. */
  readonly transports?: readonly string[];
  /** Which of them is taken without it. Default: one after the other. */
  readonly defaultTransport?: string;
}

/** A day: far below what a timer can wait. */
const MOST_SECONDS = 86_400;

interface Options {
  readonly json?: boolean;
  readonly only?: readonly string[];
  readonly seconds?: number;
  readonly transport?: string;
}

/**
 * Runs a program that measures or proves something: the parts one after the other, or those that `--only` names; with
 * `--json` one document on standard output and everything else on standard error. Sets the exit code: 0 when every
 * target that was to be measured holds, 1 when one does not or is missing, 2 when the program could not run, with one
 * line that says why, 130 or 143 when it was interrupted.
 */
export async function runProgram(program: Program, argv: readonly string[] = process.argv): Promise<void> {
  const command = new Command(program.name)
    .description(program.description)
    .option('--json', 'print one JSON document and nothing else on standard output')
    .option('--only <name...>', `run a part: ${program.parts.map(({ name }) => name).join(', ')}`)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  const { option } = program;
  if (option !== undefined) {
    command.option(option.flags, option.description, (value: string) => option.take(value));
  }
  if (program.seconds !== undefined) command.option('--seconds <number>', program.seconds, positive);
  if (program.transports !== undefined) {
    command.addOption(
      new Option(
        '--transport <name>',
        `what carries the calls; default: ${program.defaultTransport ?? 'each'}`,
      ).choices(program.transports),
    );
  }
  process.exitCode = await interruptible(async (interrupted) => {
    const stop = new AbortController();
    // Whoever waits in a part listens for it: children, timers, connections.
    setMaxListeners(0, stop.signal);
    const interrupt = () => stop.abort(interrupted.reason);
    if (interrupted.aborted) interrupt();
    interrupted.addEventListener('abort', interrupt, { once: true });
    // Whoever read it has gone, as `head` does: nothing is left to be said, and what was started is ended.
    for (const stream of [process.stdout, process.stderr]) {
      stream.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EPIPE') throw error;
        stop.abort(new Error('nobody reads on'));
      });
    }
    try {
      const options = command.parse([...argv]).opts<Options>();
      return await runParts(program, chosen(program, options.only), options, stop.signal);
    } catch (thrown) {
      if (isHelp(thrown)) return 0;
      const reason = asError(stop.signal.aborted ? stop.signal.reason : thrown);
      console.error(`${program.name}: ${printable(reason.message.trim())}`);
      return 2;
    }
  });
}

async function runParts(
  program: Program,
  parts: readonly Part[],
  { json = false, seconds, transport }: Options,
  signal: AbortSignal,
): Promise<number> {
  const targets: Target[] = [];
  const records: Record<string, unknown> = {};
  const terminal = new Terminal(json ? process.stderr : process.stdout);
  const say = (line: string) => terminal.say(line);
  const hold = (bound: Target['bound']) => (name: string, value: number, limit: number, unit: string) => {
    const held = bound === 'at most' ? value <= limit : value >= limit;
    targets.push({ name, value, unit, limit, bound, held });
    say(`${held ? 'held    ' : 'NOT HELD'}  ${name}: ${rounded(value)} ${unit}, ${bound} ${limit}`);
  };
  const run: Run = {
    signal,
    busy: (work) => undisturbed(work, signal),
    seconds,
    transport,
    say,
    progress: (line) => terminal.progress(line),
    table: (columns, rows) => say(formatTable(columns, rows)),
    atMost: hold('at most'),
    atLeast: hold('at least'),
    record: (key, value) => {
      records[key] = value;
    },
  };
  const skipped = new Set<Part>();
  const runPart = async (part: Part) => {
    try {
      await part.run(run);
    } catch (thrown) {
      if (!(thrown instanceof Skipped)) throw thrown;
      say(`skipped   ${part.name}: ${thrown.message}`);
      if (parts.length === 1) throw thrown;
      skipped.add(part);
    }
  };
  try {
    for (const group of grouped(parts)) {
      const ends = await Promise.allSettled(group.map(runPart));
      signal.throwIfAborted();
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    }
  } finally {
    terminal.clear();
  }
  program.sumUp?.(run);
  const isMissing = (name: string) => !targets.some((target) => target.name === name);
  const missing = program.parts.flatMap((part) => part.targets).filter(isMissing);
  const missed = parts
    .filter((part) => !skipped.has(part))
    .flatMap((part) => part.targets)
    .filter((name) => isMissing(name) && asked(name, program.transports, transport));
  if (missed.length > 0) say(`not measured: ${missed.join(', ')}`);
  if (missing.length > missed.length)
    say(`left out: ${missing.length - missed.length} targets of other parts`);
  if (json) {
    console.log(
      JSON.stringify({ program: program.name, node: process.version, targets, missing, ...records }),
    );
  }
  return missed.length === 0 && targets.every(({ held }) => held) ? 0 : 1;
}

/** Whether a target of one transport, which it names after the name of its part, was to be measured with `--transport`. */
function asked(target: string, transports: readonly string[] = [], chosen: string | undefined): boolean {
  const own = transports.find((transport) => target.split('/').slice(1).includes(transport));
  return own === undefined || chosen === undefined || own === chosen;
}

/** What is run at the same time, one group after the other. */
function grouped(parts: readonly Part[]): Part[][] {
  const groups: Part[][] = [];
  for (const part of parts) {
    const last = groups.at(-1);
    if (part.together !== undefined && last?.[0]?.together === part.together) last.push(part);
    else groups.push([part]);
  }
  return groups;
}

function chosen({ parts }: Program, only: readonly string[] | undefined): readonly Part[] {
  if (only === undefined) return parts;
  const unknown = only.find((name) => !parts.some((part) => part.name === name));
  if (unknown !== undefined) {
    throw new Error(
      `there is no part ${JSON.stringify(unknown)}: ${parts.map(({ name }) => name).join(', ')}`,
    );
  }
  return parts.filter(({ name }) => only.includes(name));
}

function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0 && number <= MOST_SECONDS)) {
    throw new InvalidArgumentError(`give a number above 0 and up to ${MOST_SECONDS}.`);
  }
  return number;
}

/** Help was asked for and printed: to commander that is an error like others. */
function isHelp(thrown: unknown): boolean {
  return (thrown as { code?: unknown }).code === 'commander.helpDisplayed';
}
