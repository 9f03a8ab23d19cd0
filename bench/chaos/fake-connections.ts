import type { ConnectivityEvent } from '../../src/balancer/table/row.js';
import type { Connection, Transport, WireCall } from '../../src/balancer/transport/grpc-js/transport.js';
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
  readonly target: string;
  readonly #listener: (event: ConnectivityEvent) => void;
  #retired = false;

  constructor({ address }: Endpoint, listener: (event: ConnectivityEvent) => void) {
    this.target = `fake:${address}`;
    this.#listener = listener;
  }

  connect(): void {
    queueMicrotask(() => {
      if (!this.#retired) this.#listener({ kind: 'ready' });
    });
  }

  createCall(): WireCall {
    throw new Error(`there is no server at ${this.target}`);
  }

  retire(): void {
    this.#retired = true;
  }

  readonly held = 0;

  hold(): this {
    return this;
  }

  release(): void {}

  oldestCallAt(): undefined {}

  cut(): void {}
}
