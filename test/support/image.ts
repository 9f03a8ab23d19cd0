import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const buf = createRequire(import.meta.url).resolve('@bufbuild/buf/bin/buf');
/** The root of the project, whether this file runs from dist/ or, under vitest, from its source. */
const root = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../..' : '../../..', import.meta.url));
const WITH_TESTS = { version: 'v2', modules: [{ path: 'proto' }, { path: 'test/gateway/protos' }] };

/** Where the protos of the gateway's tests are: usual ones, and such as seldom are. */
const PATHS = { tests: 'test/gateway/protos/test', odd: 'test/gateway/protos/odd' };

/** A FileDescriptorSet as `buf build -o` writes it: of the protos of the project, or of those of the gateway's tests. */
export function image(of: 'project' | keyof typeof PATHS): Buffer {
  const args =
    of === 'project' ? ['proto'] : ['.', '--config', JSON.stringify(WITH_TESTS), '--path', PATHS[of]];
  return execFileSync(process.execPath, [buf, 'build', ...args, '-o', '-'], {
    cwd: root,
    maxBuffer: 16 * 1024 * 1024,
  });
}
