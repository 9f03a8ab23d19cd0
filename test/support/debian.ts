// Programs that tests need: found on PATH, or installed from a Debian package where that may be.
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What a Debian package asks before it starts a service; 101 is "no" (invoke-rc.d(8)). */
const POLICY = '/usr/sbin/policy-rc.d';
/** Test files run side by side, and may install at the same time. */
const WAIT_FOR_OTHERS = 'DPkg::Lock::Timeout=300';

/** How to run a command as root: as it is, or by sudo where that asks for no password. */
async function asRoot(): Promise<string[] | undefined> {
  if (process.getuid?.() === 0) return [];
  if (findProgram('sudo') === undefined) return undefined;
  return run('sudo', ['-n', 'true']).then(
    () => ['sudo', '-n'],
    () => undefined,
  );
}

/** Whether {@link installPackage} has a chance. */
export async function mayInstall(): Promise<boolean> {
  return (await asRoot()) !== undefined && findProgram('apt-get') !== undefined;
}

/** Installs a Debian package with what it needs, and starts none of its services. */
export async function installPackage(name: string): Promise<void> {
  const root = (await asRoot()) ?? [];
  const sudo = (...command: string[]) => {
    const [file, ...args] = [...root, 'env', 'DEBIAN_FRONTEND=noninteractive', ...command];
    return run(file as string, args, { maxBuffer: 64 * 1024 * 1024 });
  };
  // Tests start processes of their own; a package's service is not wanted, and would hold the usual ports.
  const forbid = !existsSync(POLICY);
  if (forbid) await sudo('sh', '-c', `printf '#!/bin/sh\\nexit 101\\n' > ${POLICY} && chmod 755 ${POLICY}`);
  try {
    await sudo('apt-get', 'update', '-q');
    await sudo('apt-get', 'install', '-q', '-y', '--no-install-recommends', '-o', WAIT_FOR_OTHERS, name);
  } finally {
    if (forbid) await sudo('rm', '-f', POLICY);
  }
}

export function findProgram(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find(isProgram);
}

export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Why a command failed: the last line that it said. */
export function lastLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return ((stderr ?? '').trim() || message).split('\n').at(-1) as string;
}
