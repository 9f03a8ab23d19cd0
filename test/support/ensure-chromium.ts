// Where a Chromium comes from: $CHROMIUM_BIN, PATH, or Debian's package where it may be installed.
import { findProgram, installPackage, lastLine, mayInstall } from './debian.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/**
 * A Chromium: the one that is there, or else Debian's, installed by apt-get where this process may.
 *
 * @returns undefined where there is none and none can be had: `say` has heard why, in one line.
 */
export async function ensureChromium(say: (line: string) => void): Promise<string | undefined> {
  const { CHROMIUM_BIN } = process.env;
  const found = CHROMIUM_BIN || find();
  if (found !== undefined) return found;
  if (!(await mayInstall())) {
    say('no chromium on PATH: what needs a browser is skipped; install one, or set CHROMIUM_BIN to its path');
    return undefined;
  }
  say('no chromium on PATH: installing the package chromium');
  try {
    await installPackage('chromium');
  } catch (error) {
    say(`chromium cannot be installed, and what needs a browser is skipped: ${lastLine(error)}`);
  }
  return find();
}

function find(): string | undefined {
  return NAMES.map(findProgram).find((path) => path !== undefined);
}
