// What a program loads that has nothing to do with etcd: of the compiled package, in processes of their own.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const PACKAGES = `
  const names = Object.keys(require.cache).map((file) => /node_modules.((?:@[^/]+.)?[^/]+)/.exec(file)?.[1]);
  console.log(JSON.stringify([...new Set(names)]));
`;

/** The CommonJS packages that a module of the package loads. */
async function packagesOf(module: string): Promise<string[]> {
  const program = `import(${JSON.stringify(module)}).then(() => {${PACKAGES}})`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program]);
  return JSON.parse(stdout) as string[];
}

describe('the package', () => {
  it('loads no client of etcd', async () => {
    const loaded = await packagesOf('evenkeel');
    expect(loaded).toContain('@grpc/grpc-js');
    for (const name of ['etcd3', 'protobufjs', '@grpc/proto-loader', 'cockatiel']) {
      expect(loaded).not.toContain(name);
    }
  });

  it('loads one for evenkeel/etcd', async () => {
    expect(await packagesOf('evenkeel/etcd')).toContain('etcd3');
  });
});
