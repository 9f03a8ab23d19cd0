// Fails when generated/ is not what proto/ gives. The working tree is left as it is.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const scratch = mkdtempSync(join(tmpdir(), 'evenkeel-generated-'));

/** Path below `directory` -> content, of every file. */
function filesIn(directory) {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return new Map(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(directory.length + 1), readFileSync(path, 'utf8')]),
  );
}

try {
  const buf = createRequire(import.meta.url).resolve('@bufbuild/buf/bin/buf');
  execFileSync(process.execPath, [buf, 'generate', '--output', scratch], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });

  const wanted = filesIn(join(scratch, 'generated'));
  const found = filesIn(join(root, 'generated'));
  const differences = [...new Set([...wanted.keys(), ...found.keys()])].sort().flatMap((path) => {
    if (!found.has(path)) return [`missing:   generated/${path}`];
    if (!wanted.has(path)) return [`left over: generated/${path}`];
    return wanted.get(path) === found.get(path) ? [] : [`differs:   generated/${path}`];
  });

  if (differences.length > 0) {
    console.error(
      `generated/ is not what proto/ gives:\n  ${differences.join('\n  ')}\nRun "npm run generate" and commit what it wrote.`,
    );
    process.exitCode = 1;
  } else {
    console.log(`generated/ is what proto/ gives (${wanted.size} files).`);
  }
} catch (error) {
  console.error(`generated/ could not be checked: ${error.message}`);
  process.exitCode = 2;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
