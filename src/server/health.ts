import { type Server, type ServerWritableStream, status } from '@grpc/grpc-js';
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  type HealthServer,
  HealthService,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../generated/grpc/health/v1/health.js';

type Watcher = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

/**
 * The server's side of `grpc.health.v1.Health`: what it says of each service, and of the server as a whole under the
 * name ''. Give it to `serve` or `announce`, which says NOT_SERVING for everything before the server is unregistered.
 */
export class Health {
  readonly #statuses = new Map<string, ServingStatus>([['', ServingStatus.SERVING]]);
  readonly #watchers = new Map<string, Set<Watcher>>();
  #leaving = false;
  #ended = false;

  /** Adds the service to the server, which must not have another of that name. */
  addTo(server: Server): void {
    const handlers: HealthServer = {
      check: ({ request }, callback) => {
        const serving = this.#statuses.get(request.service);
        if (serving !== undefined) callback(null, { status: serving });
        else
          callback({ code: status.NOT_FOUND, details: `unknown service ${JSON.stringify(request.service)}` });
      },
      watch: (call) => this.#watch(call),
      list: (_, callback) => {
        const statuses = [...this.#statuses].map(([service, serving]) => [service, { status: serving }]);
        callback(null, { statuses: Object.fromEntries(statuses) });
      },
    };
    server.addService(HealthService, handlers);
  }

  /** Says of a service, '' for the server, whether it serves. Has no effect once {@link leave} was called. */
  set(service: string, serving: boolean): void {
    if (!this.#leaving) this.#say(service, serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
  }

  /** Says NOT_SERVING for everything, from now on. */
  leave(): void {
    this.#leaving = true;
    for (const service of this.#statuses.keys()) this.#say(service, ServingStatus.NOT_SERVING);
  }

  /** Ends the watches, which would keep the server from shutting down; those that come later end at once. */
  end(): void {
    this.#ended = true;
    for (const watchers of this.#watchers.values()) for (const watcher of watchers) watcher.end();
  }

  #say(service: string, serving: ServingStatus): void {
    if (this.#statuses.get(service) === serving) return;
    this.#statuses.set(service, serving);
    for (const watcher of this.#watchers.get(service) ?? []) watcher.write({ status: serving });
  }

  #watch(call: Watcher): void {
    const { service } = call.request;
    let watchers = this.#watchers.get(service);
    if (watchers === undefined) {
      watchers = new Set();
      this.#watchers.set(service, watchers);
    }
    watchers.add(call);
    const left = () => {
      watchers.delete(call);
      // Names are the clients' to choose: what nobody watches is forgotten.
      if (watchers.size === 0 && this.#watchers.get(service) === watchers) this.#watchers.delete(service);
    };
    call.on('cancelled', left);
    call.on('close', left);
    call.write({ status: this.#statuses.get(service) ?? ServingStatus.SERVICE_UNKNOWN });
    if (this.#ended) call.end();
  }
}
