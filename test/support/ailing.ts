import { setTimeout as sleep } from 'node:timers/promises';
import { ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import type { Ailment } from './server-protocol.js';

/** Treats every call as the ailment of the server has it, by the time that its headers come. */
export class Ailing {
  #ailment: Ailment;
  #worked = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(ailment: Ailment = { kind: 'none' }) {
    this.#ailment = ailment;
  }

  set(ailment: Ailment): void {
    this.#ailment = ailment;
  }

  readonly interceptor: ServerInterceptor = (_method, call) => {
    const ailment = this.#ailment;
    if (ailment.kind === 'none') return new ServerInterceptingCall(call);
    const refuse = (code: number) => call.sendStatus({ code, details: 'this server is not well' });
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata(metadata, deliver) {
            if (ailment.kind === 'fails') refuse(ailment.code);
            else deliver(metadata);
          },
          // A unary call is handled when all of it is there.
          onReceiveHalfClose: (deliver) => {
            if (ailment.kind === 'fails') return;
            if (this.#waiting.length >= ailment.maxWaiting && this.#worked >= ailment.concurrency) {
              refuse(status.UNAVAILABLE);
            } else void this.#work(ailment).then(deliver);
          },
        });
      },
    });
  };

  async #work({ concurrency, meanMs }: Extract<Ailment, { kind: 'busy' }>): Promise<void> {
    if (this.#worked >= concurrency) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#worked++;
    await sleep(-Math.log(1 - Math.random()) * meanMs);
    const next = this.#waiting.shift();
    if (next === undefined) this.#worked--;
    else next();
  }
}
