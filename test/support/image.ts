import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const buf = createRequire(import.meta.url).resolve('@bufbuild/buf/bin/buf');
/** The root of the project, whether this file runs from dist/ or, under vitest, from its source. */
const root = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../..' : '../../..', import.meta.url));
const WITH_TESTS = { version: 'v2', modules: [{ path: 'proto' }, { path: 'test/gateway/protos' }] };

/** A FileDescriptorSet as `buf build -o` writes it: of the protos of the project, or of those of the gateway's tests. */
export function image(of: 'project' | 'tests'): Buffer {
  const args =
    of === 'project'
      ? ['proto']
      : ['.', '--config', JSON.stringify(WITH_TESTS), '--path', 'test/gateway/protos/test'];
  return execFileSync(process.execPath, [buf, 'build', ...args, '-o', '-'], {
    cwd: root,
    maxBuffer: 16 * 1024 * 1024,
  });
}
