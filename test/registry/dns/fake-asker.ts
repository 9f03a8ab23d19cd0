import type { SrvRecord } from 'node:dns';
import type { AddressRecord, Asker, Family } from '../../../src/registry/dns/asker.js';
import { type DnsOptions, DnsRegistry } from '../../../src/registry/dns/index.js';
import { VirtualClock } from '../../../src/testing/index.js';

/** DNS as a table that the test changes. What it lacks is an empty answer. */
export class FakeDns {
  readonly clock = new VirtualClock();
  /** `A greeter.test` and so on: an answer, a failure, or silence. */
  readonly zone = new Map<string, readonly (AddressRecord | SrvRecord)[] | Error | 'silence'>();
  /** When what was asked, in milliseconds: `0 A greeter.test`. */
  readonly asked: string[] = [];
  cancelled = 0;
  readonly warnings: string[] = [];
  readonly infos: string[] = [];

  registry(options: Partial<DnsOptions> = {}): DnsRegistry {
    return new DnsRegistry({
      clock: this.clock,
      // Chance is at its least: no jitter, and no wait at all after a failure.
      random: () => 0,
      logger: { info: (line) => this.infos.push(line), warn: (line) => this.warnings.push(line) },
      asker: () => this.#asker(),
      family: 4,
      ...options,
    });
  }

  a(name: string, ttl: number | undefined, ...ips: string[]): void {
    this.zone.set(
      `A ${name}`,
      ips.map((address) => ({ address, ...(ttl !== undefined && { ttl }) })),
    );
  }

  /** `priority weight port target`. */
  srv(name: string, ...records: string[]): void {
    this.zone.set(
      `SRV ${name}`,
      records.map((record) => {
        const [priority, weight, port, target] = record.split(' ');
        return { priority: Number(priority), weight: Number(weight), port: Number(port), name: target! };
      }),
    );
  }

  fails(question: string, code: string): void {
    this.zone.set(question, Object.assign(new Error(`${question} ${code}`), { code }));
  }

  #asker(): Asker {
    const open = new Set<(error: Error) => void>();
    const ask = <T>(question: string): Promise<readonly T[]> => {
      this.asked.push(`${this.clock.now()} ${question}`);
      const answer = this.zone.get(question) ?? [];
      if (answer === 'silence') return new Promise((_, reject) => open.add(reject));
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as readonly T[]);
    };
    return {
      addresses: (name: string, family: Family) =>
        ask<AddressRecord>(`${family === 4 ? 'A' : 'AAAA'} ${name}`),
      services: (name: string) => ask<SrvRecord>(`SRV ${name}`),
      cancel: () => {
        this.cancelled++;
        for (const reject of open) reject(Object.assign(new Error('cancelled'), { code: 'ECANCELLED' }));
      },
    };
  }
}
