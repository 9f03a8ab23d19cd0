// Where an etcd binary comes from: $ETCD_BIN, PATH, or Debian's package where it may be installed.
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What a Debian package asks before it starts a service; 101 is "no" (invoke-rc.d(8)). */
const POLICY = '/usr/sbin/policy-rc.d';

/**
 * The etcd binary of $ETCD_BIN or PATH; undefined where there is none.
 *
 * @throws Error in one line when $ETCD_BIN names no program.
 */
export function findEtcd(): string | undefined {
  const { ETCD_BIN } = process.env;
  if (ETCD_BIN) {
    if (!isProgram(ETCD_BIN)) throw new Error(`ETCD_BIN is ${ETCD_BIN}, which is not a program`);
    return ETCD_BIN;
  }
  return findProgram('etcd');
}

/**
 * An etcd binary: the one that is there, or else Debian's, installed by apt-get where this process may.
 *
 * @throws Error in one line that says how to get one.
 */
export async function ensureEtcd(say: (line: string) => void = () => {}): Promise<string> {
  const found = findEtcd();
  if (found !== undefined) return found;
  const root = await asRoot();
  if (root === undefined || findProgram('apt-get') === undefined) throw new Error(howToGetOne());
  say('no etcd on PATH: installing the package etcd-server');
  try {
    await install(root);
  } catch (error) {
    throw new Error(howToGetOne(`apt-get failed: ${lastLine(error)}`));
  }
  const installed = findEtcd();
  if (installed === undefined) throw new Error(howToGetOne('the package etcd-server holds no etcd'));
  return installed;
}

/** How to run a command as root: as it is, or by sudo where that asks for no password. */
async function asRoot(): Promise<string[] | undefined> {
  if (process.getuid?.() === 0) return [];
  if (findProgram('sudo') === undefined) return undefined;
  return run('sudo', ['-n', 'true']).then(
    () => ['sudo', '-n'],
    () => undefined,
  );
}

async function install(root: readonly string[]): Promise<void> {
  const asRoot = (...command: string[]) => {
    const [file, ...args] = [...root, 'env', 'DEBIAN_FRONTEND=noninteractive', ...command];
    return run(file as string, args, { maxBuffer: 64 * 1024 * 1024 });
  };
  // Tests start etcds of their own; the package's service is not wanted, and would hold the usual ports.
  const forbid = !existsSync(POLICY);
  if (forbid) await asRoot('sh', '-c', `printf '#!/bin/sh\\nexit 101\\n' > ${POLICY} && chmod 755 ${POLICY}`);
  try {
    await asRoot('apt-get', 'update', '-q');
    await asRoot('apt-get', 'install', '-q', '-y', '--no-install-recommends', 'etcd-server');
  } finally {
    if (forbid) await asRoot('rm', '-f', POLICY);
  }
}

export function findProgram(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function howToGetOne(reason = 'no etcd on PATH'): string {
  return `${reason}; install one (Debian: apt-get install etcd-server; else https://github.com/etcd-io/etcd/releases), or set ETCD_BIN to its path`;
}

function lastLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return ((stderr ?? '').trim() || message).split('\n').at(-1) as string;
}
