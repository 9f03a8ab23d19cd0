import type {
  Connection,
  ConnectionEvent,
  Transport,
  WireCall,
} from '../../src/balancer/transport/transport.js';
import type { Endpoint } from '../../src/base/endpoint.js';

/** Addresses that begin so are nobody's: their connections are made up. */
export const NOWHERE = '10.';

/** Connections that are READY at once and for ever, for tables that are bigger than a machine has servers. */
export const fakeTransport: Transport = (endpoint, listener) => new FakeConnection(endpoint, listener);

/** Fake connections to the addresses of nowhere, real ones to all others. */
export function mixedTransport(real: Transport): Transport {
  return (endpoint, listener) =>
    endpoint.address.startsWith(NOWHERE) ? fakeTransport(endpoint, listener) : real(endpoint, listener);
}

class FakeConnection implements Connection {
  readonly streamLimit = Number.POSITIVE_INFINITY;
  readonly held = 0;
  #retired = false;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly listener: (event: ConnectionEvent) => void,
  ) {}

  connect(): void {
    queueMicrotask(() => {
      if (!this.#retired) this.listener({ kind: 'ready' });
    });
  }

  start(): WireCall {
    throw new Error(`there is no server at ${this.endpoint.address}`);
  }

  retire(): void {
    this.#retired = true;
  }

  hold(): this {
    return this;
  }

  release(): void {}

  unansweredCalls(): [] {
    return [];
  }

  cut(): void {}
}
