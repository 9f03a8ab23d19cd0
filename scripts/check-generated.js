// Fails when what is generated is not what the protos give. The working tree is left as it is.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Where it is, and the template that says what it is made of. */
const OUTPUTS = [
  ['generated', 'buf.gen.yaml'],
  ['bench/interop/generated', 'bench/interop/buf.gen.yaml'],
];
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

/** What differs between the tree and what the template gives; says how many files there are. */
function differences(directory, template) {
  const buf = createRequire(import.meta.url).resolve('@bufbuild/buf/bin/buf');
  execFileSync(process.execPath, [buf, 'generate', '--template', template, '--output', scratch], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const wanted = filesIn(join(scratch, directory));
  const found = filesIn(join(root, directory));
  console.log(`${directory}: ${wanted.size} files`);
  return [...new Set([...wanted.keys(), ...found.keys()])].sort().flatMap((path) => {
    if (!found.has(path)) return [`missing:   ${directory}/${path}`];
    if (!wanted.has(path)) return [`left over: ${directory}/${path}`];
    return wanted.get(path) === found.get(path) ? [] : [`differs:   ${directory}/${path}`];
  });
}

try {
  const all = OUTPUTS.flatMap(([directory, template]) => differences(directory, template));
  if (all.length > 0) {
    console.error(
      `What is generated is not what the protos give:\n  ${all.join('\n  ')}\nRun "npm run generate" and commit what it wrote.`,
    );
    process.exitCode = 1;
  } else {
    console.log('What is generated is what the protos give.');
  }
} catch (error) {
  console.error(`What is generated could not be checked: ${error.message}`);
  process.exitCode = 2;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
