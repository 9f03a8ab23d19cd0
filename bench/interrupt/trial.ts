import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../../test/support/children.js';

/** When a program is interrupted: so long after it was started, or after it has said something. */
export interface Moment {
  /** On standard output or error. Default: when it is started. */
  readonly said?: string;
  readonly afterMs: number;
}

/** A program as a user starts it, in the folder of the project. */
export interface Interruptible {
  readonly name: string;
  readonly command: readonly [file: string, ...args: string[]];
  /** A signal makes it end in good order, with code 0, once it has said this. */
  readonly servesOnceItSaid?: string;
}

/** What became of a program that was interrupted. */
export interface Outcome {
  /** What it ended with: a code, or the signal. */
  readonly ended: string;
  /** Whether that is 128 + n, the signal itself, or 0 of one that was to end in good order. */
  readonly asItShould: boolean;
  /** From the signal until no process of it was left, in milliseconds. */
  readonly goneAfterMs: number;
  /** Processes that had to be killed, by their command lines; and files in the folder for temporary ones. */
  readonly left: readonly string[];
  /** It ended before it could be interrupted: this is no outcome. */
  readonly tooLate: boolean;
  /** What it said last. */
  readonly said: string;
}

/** How long it is waited until nothing is left, in milliseconds: long after what is tolerated. */
const GIVE_UP_MS = 20_000;
const LOOK_EVERY_MS = 20;
/** From bench/interrupt/, compiled or not, to the folder of the project. */
const ROOT = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../../' : '../../', import.meta.url),
);
/** All processes of a trial have it in their environment. */
const MARK = 'EVENKEEL_TRIAL';

let trials = 0;

/** Starts the program, sends the signal at the moment, and looks what is left of it. */
export async function interrupt(
  { command, servesOnceItSaid }: Interruptible,
  signal: NodeJS.Signals,
  moment: Moment,
  stop: AbortSignal,
): Promise<Outcome> {
  stop.throwIfAborted();
  const directory = mkdtempSync(join(tmpdir(), 'evenkeel-interrupt-'));
  const mark = `${MARK}=${process.pid}-${++trials}`;
  const [file, ...args] = command;
  const child = endWithUs(
    spawn(file, args, {
      cwd: ROOT,
      env: { ...process.env, [MARK]: mark.slice(MARK.length + 1), TMPDIR: directory },
      stdio: ['ignore', 'pipe', 'pipe'],
      // As a shell with job control does: nothing but what the program itself does tells its children.
      detached: true,
    }),
  );
  let said = '';
  let heard = () => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      heard();
    });
  }
  const exited = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, by) => resolve(by ?? String(code)));
  });
  exited.catch(() => {});
  try {
    await new Promise<void>((resolve, reject) => {
      heard = () => {
        if (moment.said === undefined || said.includes(moment.said)) resolve();
      };
      heard();
      void exited.then(() => resolve(), reject);
      stop.addEventListener('abort', () => reject(stop.reason), { once: true });
    });
    await delay(moment.afterMs, undefined, { signal: stop });
    const tooLate = child.exitCode !== null || child.signalCode !== null;
    const serving = servesOnceItSaid !== undefined && said.includes(servesOnceItSaid);
    const sentAt = performance.now();
    child.kill(signal);
    const ended = await Promise.race([exited, delay(GIVE_UP_MS, 'nothing', { signal: stop })]);
    let left = marked(mark);
    while (left.length > 0 && performance.now() - sentAt < GIVE_UP_MS) {
      await delay(LOOK_EVERY_MS, undefined, { signal: stop });
      left = marked(mark);
    }
    const goneAfterMs = performance.now() - sentAt;
    const code = String(128 + constants.signals[signal]);
    return {
      ended,
      asItShould: ended === signal || ended === code || (serving && ended === '0'),
      goneAfterMs,
      left: [...left.map(({ command }) => command), ...readdirSync(directory)],
      tooLate,
      said: said.slice(-1_000),
    };
  } finally {
    for (const { pid } of marked(mark)) process.kill(pid, 'SIGKILL');
    rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }
}

interface Process {
  readonly pid: number;
  readonly command: string;
}

/** The processes that have the mark in their environment, as Linux tells. One that has ended has no environment. */
function marked(mark: string): Process[] {
  const found: Process[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (!readFileSync(`/proc/${name}/environ`, 'latin1').split('\0').includes(mark)) continue;
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      found.push({
        pid: Number(name),
        command: words.slice(0, 4).join(' ') || readlinkSync(`/proc/${name}/exe`),
      });
    } catch {
      // It has ended meanwhile, or is not ours.
    }
  }
  return found;
}
