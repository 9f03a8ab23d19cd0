import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the project, seen from the compiled file. */
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));

/** A file of the project, by its path there. */
export function inProject(path: string): string {
  return join(ROOT, path);
}

/** A folder outside the tree where what was built once is kept: `$XDG_CACHE_HOME/evenkeel/interop`. */
export async function cacheFolder(name: string): Promise<string> {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'evenkeel', 'interop', name);
  await mkdir(folder, { recursive: true });
  return folder;
}
