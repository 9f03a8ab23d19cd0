import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { image } from '../../support/image.js';

const run = promisify(execFile);
const dist = (path: string) => new URL(`../../../dist/src/${path}`, import.meta.url);

/** Resolves packages as if the optional ones had been left out. */
const LEFT_OUT = `
export async function resolve(specifier, context, next) {
  if (!/^@?fastify/.test(specifier)) return next(specifier, context);
  throw Object.assign(new Error('Cannot find package ' + specifier), { code: 'ERR_MODULE_NOT_FOUND' });
}`;
const asModule = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
const REGISTER = `import { register } from 'node:module'; register(${JSON.stringify(asModule(LEFT_OUT))});`;
const node = (...args: string[]) => run(process.execPath, ['--import', asModule(REGISTER), ...args]);

describe('without the optional packages', () => {
  it('all but the gateway works', async () => {
    const source = `await import('${dist('index.js')}'); await import('${dist('gateway/index.js')}'); console.log('there')`;
    const { stdout } = await node('--input-type=module', '--eval', source);
    expect(stdout).toBe('there\n');
    expect((await node(fileURLToPath(dist('cli/main.js')), 'gateway', '--help')).stdout).toContain(
      '--descriptors',
    );
  });

  it('the gateway says in one line what to install', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'evenkeel-optional-'));
    try {
      const file = join(directory, 'image.binpb');
      writeFileSync(file, image('project'));
      const args = ['gateway', '--reg', 'http://127.0.0.1:1', '--descriptors', file];
      await expect(node(fileURLToPath(dist('cli/main.js')), ...args)).rejects.toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(
          /^evenkeel: fastify is not installed: npm install fastify @fastify\/cors .*\n$/,
        ),
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
