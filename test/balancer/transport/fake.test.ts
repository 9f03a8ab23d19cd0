import type { ConnectionEvent } from '../../../src/balancer/transport/transport.js';
import { endpoint } from '../../support/endpoints.js';
import { FakeTransport, type FakeWire } from '../../support/fake-transport.js';
import { type ContractCall, type ContractPair, type ContractServer, describeTransport } from './contract.js';

class FakeCall implements ContractCall {
  constructor(private readonly wire: FakeWire) {}

  get path(): string {
    return this.wire.path;
  }

  get authority(): string | undefined {
    return this.wire.authority;
  }

  header(name: string): string | undefined {
    return this.wire.metadata.get(name)[0]?.toString();
  }

  async received(): Promise<string[]> {
    return this.wire.sent.map(String);
  }

  headers(): void {
    this.wire.headers();
  }

  message(text: string): void {
    this.wire.message(Buffer.from(text));
  }

  end(code = 0, details = '', trailers: Record<string, string> = {}): void {
    if (!this.wire.ended) this.wire.end(code, details, trailers);
  }

  refuse(): void {
    this.wire.refuse();
  }

  get cancelled(): Promise<void> {
    return this.wire.cancelled === undefined ? new Promise(() => {}) : Promise.resolve();
  }
}

describeTransport(
  'the fake',
  async (): Promise<ContractPair> => {
    const transport = new FakeTransport();
    const events: ConnectionEvent[] = [];
    const connection = transport.transport(endpoint('a', 'h:1'), (event) => events.push(event));
    const fake = transport.to('h:1');
    connection.connect();
    fake.ready();
    let next = 0;
    const server: ContractServer = {
      next: async () => new FakeCall(fake.calls[next++]!),
      get calls() {
        return fake.calls.filter((call) => call.peer !== undefined).length;
      },
      drop() {
        for (const wire of transport.open) wire.end(14, 'Connection dropped');
        if (!fake.retired) fake.lost();
      },
      get connected() {
        return !fake.closed;
      },
    };
    return { connection, events, server };
  },
  { fake: true },
);
