// Where an etcd binary comes from: $ETCD_BIN, PATH, or Debian's package where it may be installed.
import { delimiter } from 'node:path';
import { findProgram, installPackage, isProgram, lastLine, mayInstall } from './debian.js';

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
 * The etcd binaries whose versions a test is to hold for: those of $ETCD_BINS, joined by colons as in $PATH, or else the
 * one of {@link ensureEtcd}.
 *
 * @throws Error in one line when $ETCD_BINS names what is no program.
 */
export async function etcdBinaries(): Promise<readonly string[]> {
  const { ETCD_BINS } = process.env;
  if (!ETCD_BINS) return [await ensureEtcd()];
  const binaries = ETCD_BINS.split(delimiter);
  const wrong = binaries.find((binary) => !isProgram(binary));
  if (wrong !== undefined)
    throw new Error(`ETCD_BINS names ${JSON.stringify(wrong)}, which is not a program`);
  return binaries;
}

/**
 * An etcd binary: the one that is there, or else Debian's, installed by apt-get where this process may.
 *
 * @throws Error in one line that says how to get one.
 */
export async function ensureEtcd(say: (line: string) => void = () => {}): Promise<string> {
  const found = findEtcd();
  if (found !== undefined) return found;
  if (!(await mayInstall())) throw new Error(howToGetOne());
  say('no etcd on PATH: installing the package etcd-server');
  try {
    await installPackage('etcd-server');
  } catch (error) {
    throw new Error(howToGetOne(`apt-get failed: ${lastLine(error)}`));
  }
  const installed = findEtcd();
  if (installed === undefined) throw new Error(howToGetOne('the package etcd-server holds no etcd'));
  return installed;
}

function howToGetOne(reason = 'no etcd on PATH'): string {
  return `${reason}; install one (Debian: apt-get install etcd-server; else https://github.com/etcd-io/etcd/releases), or set ETCD_BIN to its path`;
}
