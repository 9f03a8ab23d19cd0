import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeRegistry } from 'evenkeel/testing';
import { describe, it } from 'vitest';
import { fileRegistry } from '../../examples/registries/file-registry.js';

/** A file of services, written whole: a reader never sees half of one. */
function serviceFile() {
  const directory = mkdtempSync(join(tmpdir(), 'evenkeel-file-registry-'));
  const path = join(directory, 'services.json');
  const services: Record<string, string[]> = {};
  const write = () => {
    writeFileSync(`${path}.new`, JSON.stringify(services));
    renameSync(`${path}.new`, path);
  };
  write();
  return {
    path,
    store: {
      put(service: string, address: string) {
        services[service] = [...(services[service] ?? []), address];
        write();
      },
      remove(service: string, address: string) {
        services[service] = services[service]!.filter((other) => other !== address);
        write();
      },
      disconnect: () => rmSync(path),
      reconnect: write,
    },
    close: () => rmSync(directory, { recursive: true }),
  };
}

describeRegistry(
  'a file',
  () => {
    const { path, store, close } = serviceFile();
    return { registry: fileRegistry(path, 1), store, close };
  },
  { describe, it },
);
