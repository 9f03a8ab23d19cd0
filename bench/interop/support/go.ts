import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from '../../support/program.js';
import { required, runCommand } from './command.js';
import { cacheFolder } from './places.js';

/** A program from a Go module, `path@version`, built once. Skips the part where there is no Go. */
export async function goProgram(source: string, run: Run): Promise<string> {
  const [path, version] = source.split('@') as [string, string];
  const folder = await cacheFolder(join(path.replaceAll('/', '_'), version));
  const program = join(folder, path.split('/').at(-1) as string);
  if (existsSync(program)) return program;
  const go = required('go');
  run.progress(`building ${source}`);
  await runCommand({ program: go, args: ['install', source], env: { GOBIN: folder } }, run.signal);
  return program;
}
