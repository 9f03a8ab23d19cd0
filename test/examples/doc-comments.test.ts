// The examples in doc comments, compiled as a user's project would: those that import. What a package does not export can be
// shown by a sketch alone.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Within the package, so that `evenkeel` is itself; and out of the way of every other tool. */
const DIRECTORY = 'reports/doc-comments';

const examples = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .flatMap((path) =>
    [...readFileSync(join('src', path), 'utf8').matchAll(/^ *\* ```ts\n([\s\S]*?)^ *\* ```$/gm)].map(
      ([, body], n) => ({
        name: `${path.replace(/\W/g, '-')}-${n}.ts`,
        code: body!.replace(/^ *\* ?/gm, ''),
      }),
    ),
  )
  .filter(({ code }) => code.includes("from 'evenkeel"));

describe('the examples in doc comments', () => {
  it('compile', () => {
    expect(examples.length).toBeGreaterThan(5);
    rmSync(DIRECTORY, { recursive: true, force: true });
    mkdirSync(DIRECTORY, { recursive: true });
    for (const { name, code } of examples) writeFileSync(join(DIRECTORY, name), code);
    const compilerOptions = { noEmit: true, composite: false, incremental: false, rootDir: '../..' };
    writeFileSync(
      join(DIRECTORY, 'tsconfig.json'),
      JSON.stringify({ extends: '../../tsconfig.base.json', compilerOptions, include: ['*.ts'] }),
    );
    const { stdout, status } = spawnSync('npx', ['--no-install', 'tsc', '-p', DIRECTORY], {
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });
});
