import { describe, expect, it } from 'vitest';
import { type Endpoint, type EndpointInit, endpointFrom } from '../../src/base/endpoint.js';
import type { Registry, RegistryEvent } from '../../src/registry/registry.js';
import { describeRegistry, type RegistryHarness, type RegistryStore } from '../../src/testing/index.js';

/** What a registry does wrong; nothing is a registry that keeps the contract. */
interface Flaws {
  /** Its first event is a change for each endpoint. */
  readonly noSnapshot?: boolean;
  /** Says nothing of a service that has no endpoint. */
  readonly silentWhenEmpty?: boolean;
  readonly endsByItself?: boolean;
  readonly deafToSignal?: boolean;
  readonly ignoresAborted?: boolean;
  /** The second reader ends the first. */
  readonly oneReader?: boolean;
  readonly losesEverySecondChange?: boolean;
  readonly neverRemoves?: boolean;
  readonly newestFirst?: boolean;
  readonly newIdAtUpdate?: boolean;
  /** A service hears of those whose names begin like its own. */
  readonly mixesServices?: boolean;
  readonly silentWhenAway?: boolean;
  readonly staleTwice?: boolean;
  readonly failsWhenAway?: boolean;
  readonly forgetsWhenAway?: boolean;
  readonly changesAfterStale?: boolean;
  readonly weightIsText?: boolean;
  readonly idTwice?: boolean;
}

/** Each event of the store goes to every reader, by way of a queue. */
class TestRegistry implements Registry {
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #readers = new Set<{
    readonly service: string;
    tell(event: RegistryEvent | 'end' | Error): void;
  }>();
  #away = false;
  #changes = 0;

  constructor(private readonly flaws: Flaws) {}

  readonly store: Required<RegistryStore> = {
    put: (service, address) => this.#put(service, { address }),
    update: (service, endpoint) => this.#put(service, endpoint),
    remove: (service, address) => {
      if (this.flaws.neverRemoves) return;
      const id = `${service}/${address}`;
      this.#endpoints.delete(id);
      this.#tell(service, { kind: 'changes', put: [], removed: [id] });
    },
    disconnect: () => {
      this.#away = true;
      for (const reader of this.#readers) {
        if (this.flaws.failsWhenAway) reader.tell(new Error('away'));
        if (this.flaws.silentWhenAway) continue;
        if (this.flaws.forgetsWhenAway) reader.tell({ kind: 'snapshot', endpoints: [] });
        reader.tell(stale());
        if (this.flaws.staleTwice) reader.tell(stale());
      }
    },
    reconnect: () => {
      this.#away = false;
      for (const reader of this.#readers) {
        const { endpoints } = this.#snapshot(reader.service);
        reader.tell(
          this.flaws.changesAfterStale
            ? { kind: 'changes', put: endpoints, removed: [] }
            : { kind: 'snapshot', endpoints },
        );
      }
    },
  };

  async *watch(service: string, signal: AbortSignal): AsyncGenerator<RegistryEvent, void> {
    const { flaws } = this;
    if (signal.aborted && !flaws.ignoresAborted) return;
    const queue: (RegistryEvent | 'end' | Error)[] = [];
    let wake = () => {};
    const reader = {
      service,
      tell(event: RegistryEvent | 'end' | Error) {
        if (flaws.newestFirst) queue.unshift(event);
        else queue.push(event);
        wake();
      },
    };
    const snapshot = this.#snapshot(service);
    if (this.#away) reader.tell(stale());
    else if (flaws.noSnapshot) reader.tell({ kind: 'changes', put: snapshot.endpoints, removed: [] });
    else if (!flaws.silentWhenEmpty || snapshot.endpoints.length > 0) reader.tell(snapshot);
    if (flaws.oneReader) for (const other of this.#readers) other.tell('end');
    this.#readers.add(reader);
    if (!flaws.deafToSignal) signal.addEventListener('abort', () => reader.tell('end'), { once: true });
    try {
      for (;;) {
        const event = queue.shift();
        if (event === 'end') return;
        if (event instanceof Error) throw event;
        if (event !== undefined) yield event;
        else if (flaws.endsByItself) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      this.#readers.delete(reader);
    }
  }

  #put(service: string, init: EndpointInit): void {
    const { newIdAtUpdate, weightIsText } = this.flaws;
    const id = `${service}/${init.address}`;
    const endpoint = endpointFrom(init, newIdAtUpdate && init.weight ? `${id}#${init.weight}` : id);
    this.#endpoints.set(
      endpoint.id,
      weightIsText ? { ...endpoint, weight: String(endpoint.weight) as unknown as number } : endpoint,
    );
    this.#tell(service, { kind: 'changes', put: [this.#endpoints.get(endpoint.id)!], removed: [] });
  }

  #tell(service: string, event: RegistryEvent): void {
    if (this.flaws.losesEverySecondChange && ++this.#changes % 2 === 0) return;
    for (const reader of this.#readers) {
      if (this.#concerns(reader.service, service)) reader.tell(event);
    }
  }

  #snapshot(service: string): { kind: 'snapshot'; endpoints: Endpoint[] } {
    const endpoints = [...this.#endpoints.values()].filter(({ id }) =>
      this.#concerns(service, id.slice(0, id.indexOf('/'))),
    );
    return { kind: 'snapshot', endpoints: this.flaws.idTwice ? [...endpoints, ...endpoints] : endpoints };
  }

  #concerns(watched: string, service: string): boolean {
    return this.flaws.mixesServices ? service.startsWith(watched) : service === watched;
  }
}

function stale(): RegistryEvent {
  return { kind: 'stale', cause: new Error('away') };
}

function harness(flaws: Flaws): RegistryHarness {
  const registry = new TestRegistry(flaws);
  return {
    registry,
    store: registry.store,
    async until(what, check) {
      for (let turns = 0; !check(); turns++) {
        if (turns > 2_000) throw new Error(`waited in vain for: ${what}`);
        await Promise.resolve();
      }
    },
  };
}

/** Runs the suite, and returns the names of the tests that failed. */
async function failures(make: () => RegistryHarness): Promise<string[]> {
  const tests: [string, () => void | Promise<void>][] = [];
  describeRegistry('user', make, {
    describe: (_name, body) => body(),
    it: (name, body) => tests.push([name, body]),
  });
  const failed: string[] = [];
  for (const [name, body] of tests) {
    try {
      await body();
    } catch {
      failed.push(name);
    }
  }
  return failed;
}

describe('describeRegistry', () => {
  it('passes a registry that keeps the contract', async () => {
    expect(await failures(() => harness({}))).toEqual([]);
  });

  it('passes one without a store, attributes or connections', async () => {
    expect(await failures(() => ({ ...harness({}), store: undefined as never }))).toEqual([]);
    expect(
      await failures(() => {
        const made = harness({});
        const { put, remove } = made.store!;
        return { ...made, store: { put, remove } };
      }),
    ).toEqual([]);
  });

  it.each<[flaw: keyof Flaws, test: string]>([
    ['noSnapshot', 'tells a snapshot first'],
    ['silentWhenEmpty', 'tells a snapshot first'],
    ['weightIsText', 'tells endpoints with an id'],
    ['idTwice', 'tells endpoints with an id'],
    ['endsByItself', 'ends the iteration when the signal aborts, and not before'],
    ['deafToSignal', 'ends the iteration when the signal aborts, and not before'],
    ['ignoresAborted', 'ends at once, without an event'],
    ['oneReader', 'serves several readers'],
    ['losesEverySecondChange', 'misses no change'],
    ['losesEverySecondChange', 'catches up with a reader that lags'],
    ['neverRemoves', 'tells of what comes and goes'],
    ['newestFirst', 'misses no change'],
    ['newIdAtUpdate', 'tells changes of one endpoint in their order'],
    ['mixesServices', 'keeps services apart'],
    ['silentWhenAway', 'says stale once'],
    ['staleTwice', 'says stale once'],
    ['failsWhenAway', 'says stale once'],
    ['forgetsWhenAway', 'says stale once'],
    ['changesAfterStale', 'says stale once'],
  ])('fails one with the flaw %s in: %s', async (flaw, test) => {
    const failed = await failures(() => harness({ [flaw]: true }));
    expect(failed).toContainEqual(expect.stringContaining(test));
  });

  it('undoes what was made, also after a failure', async () => {
    let open = 0;
    await failures(() => {
      open++;
      return { ...harness({ endsByItself: true }), close: () => void open-- };
    });
    expect(open).toBe(0);
  });

  it('asks for a runner where there is none', () => {
    expect(() => describeRegistry('x', () => harness({}))).toThrow('pass those of your test runner');
  });
});
