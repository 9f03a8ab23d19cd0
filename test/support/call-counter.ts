import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { CALL_NUMBER, type CallReport } from './server-protocol.js';

/** Counts calls as their headers arrive: the order in which they were sent. Messages may arrive in another. */
export class CallCounter {
  #calls = 0;
  #running = 0;
  #mostRunning = 0;
  #firstCallAt: number | undefined;
  readonly #received: number[] = [];

  /** @param recordNumbers - keep the numbers that calls carry. */
  constructor(private readonly recordNumbers: boolean) {}

  /** @param listeningAt - when the server began to listen, by `performance.now()`. */
  report(listeningAt: number): CallReport {
    return {
      calls: this.#calls,
      running: this.#running,
      mostRunning: this.#mostRunning,
      received: this.#received,
      ...(this.#firstCallAt !== undefined && { firstCallAfterMs: this.#firstCallAt - listeningAt }),
    };
  }

  readonly interceptor: ServerInterceptor = (_method, call) => {
    let running = false;
    const over = () => {
      if (running) this.#running -= 1;
      running = false;
    };
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, deliver) => {
            running = true;
            this.#calls += 1;
            this.#running += 1;
            this.#mostRunning = Math.max(this.#mostRunning, this.#running);
            this.#firstCallAt ??= performance.now();
            const [number] = metadata.get(CALL_NUMBER);
            if (this.recordNumbers && number !== undefined) this.#received.push(Number(number));
            deliver(metadata);
          },
          onCancel: over,
        });
      },
      sendStatus: (status, send) => {
        over();
        send(status);
      },
    });
  };
}

/** The interceptor, for all calls but those of the health service, which a client may watch at any time. */
export function butForHealth(interceptor: ServerInterceptor): ServerInterceptor {
  return (method, call) =>
    method.path.startsWith('/grpc.health.') ? new ServerInterceptingCall(call) : interceptor(method, call);
}
