import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { endWithUs } from '../../../test/support/children.js';
import { findProgram, lastLine } from '../../../test/support/debian.js';
import { Skipped } from '../../support/program.js';

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The path of a program; skips the part where it is not on PATH. */
export function required(program: string): string {
  const path = findProgram(program);
  if (path === undefined) throw new Skipped(`there is no ${program} on PATH`);
  return path;
}

/** Runs a command to its end; what it wrote. Rejects with the last line that it said. */
export async function runCommand(
  { program, args, cwd, env }: Command,
  signal: AbortSignal,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const running = promisify(execFile)(program, args, {
    cwd,
    env: { ...process.env, ...env },
    maxBuffer: MAX_OUTPUT_BYTES,
    signal,
    killSignal: 'SIGKILL',
  });
  endWithUs(running.child);
  try {
    return await running;
  } catch (thrown) {
    signal.throwIfAborted();
    throw new Error(`${program} ${args.join(' ')}: ${lastLine(thrown)}`);
  }
}
