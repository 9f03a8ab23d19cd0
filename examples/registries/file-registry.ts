import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Endpoint, Registry } from 'evenkeel';

/**
 * A registry that is a JSON file: `{ "my_service": ["10.0.0.1:50051", "10.0.0.2:50051"] }`. It is read anew every
 * `everyMs` milliseconds; default 1,000.
 */
export function fileRegistry(path: string, everyMs = 1_000): Registry {
  return {
    async *watch(service, signal) {
      let told: string | undefined;
      let stale = false;
      while (!signal.aborted) {
        try {
          const endpoints = await read(path, service);
          const now = JSON.stringify(endpoints);
          if (stale || now !== told) yield { kind: 'snapshot', endpoints };
          told = now;
          stale = false;
        } catch (error) {
          if (!stale) yield { kind: 'stale', cause: error as Error };
          stale = true;
        }
        await delay(everyMs, undefined, { signal }).catch(() => {});
      }
    },
  };
}

/** Whatever is wrong with the file is an error that says so: the file is not ours. */
async function read(path: string, service: string): Promise<Endpoint[]> {
  const services: Record<string, unknown> = JSON.parse(await readFile(path, 'utf8'));
  const addresses = services[service] ?? [];
  if (!Array.isArray(addresses)) throw new Error(`${service} in ${path} is no list of addresses`);
  return [...new Set(addresses.map(String))].map((address) => ({
    id: address,
    address,
    weight: 1,
    metadata: {},
  }));
}
