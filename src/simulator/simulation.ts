import type { UnansweredCall } from '../balancer/core/outlier-detector.js';
import type { PickerFactory } from '../balancer/pickers/picker.js';
import { Row } from '../balancer/table/row.js';
import { Subset } from '../balancer/table/subset.js';
import { systemClock } from '../base/clock.js';
import type { Endpoint } from '../base/endpoint.js';
import { type Random, seededRandom } from '../base/random.js';
import { Caller } from './clients/caller.js';
import {
  Client,
  type ClientHost,
  type SimulatedConnection,
  type SimulatedSubchannel,
} from './clients/client.js';
import { Recorder, type Recording } from './results/recorder.js';
import { type Arrivals, arrivals } from './scenario/arrivals.js';
import type { Plan } from './scenario/plan.js';
import { Watchdog } from './watchdog.js';
import { Agenda, EventKind, indexOf, kindOf } from './world/agenda.js';
import { Connections } from './world/connections.js';
import { News } from './world/news.js';
import { Servers } from './world/servers.js';
import { schedule } from './world/timeline.js';

/** What came of one run. Plain data. */
export interface RunResult extends Recording {
  readonly picker: string;
  readonly seed: number;
  /** Calls that had not ended when the run was given up, its end long past. They count as failed. */
  readonly unfinished: number;
  /** Connections by server, when calls began. */
  readonly connections: readonly number[];
}

/** So long after the last arrival the calls that have not ended are given up: as long as the arrivals took, or this. */
const PATIENCE_MS = 60_000;
/** So many steps are made before it is looked how long they take; and so long, in milliseconds, they are watched at a time. */
const STEPS_A_LOOK = 1 << 8;
const STRETCH_MS = 100;

/** One run of a plan, with one picker and one seed. The same three give the same result, on every machine. */
export class Simulation implements ClientHost {
  readonly agenda = new Agenda();
  readonly #arrivals: Arrivals;
  readonly #traffic: Random;
  /** To be looked at when a run is over. */
  readonly clients: readonly Client[];
  readonly caller: Caller;
  readonly #servers: Servers;
  readonly #connections: Connections;
  readonly #recorder: Recorder;
  readonly #serverOf = new Map<string, number>();
  readonly #picker: string;
  /** Whose turn it is, where calls come evenly. */
  #turn = 0;

  constructor(
    private readonly plan: Plan,
    factory: PickerFactory,
    private readonly seed: number,
  ) {
    const { agenda } = this;
    const { servers, announced, networkDelay } = plan;
    // A stream for each purpose: every picker has the same calls at the same times.
    const seeds = seededRandom(seed);
    const stream = () => seededRandom(seeds(2 ** 32));
    this.#traffic = stream();
    this.#arrivals = arrivals(plan.arrivals, this.#traffic);
    const world = stream();
    this.#recorder = new Recorder({
      servers: servers.length,
      fromMs: plan.warmUpMs,
      untilMs: plan.durationMs,
    });
    this.caller = new Caller(plan, agenda, stream(), this.#recorder);
    this.#servers = new Servers(servers, agenda, stream(), this.caller.attempts, this.caller);
    this.caller.connectTo(this.#servers);
    this.#connections = new Connections(
      this.#servers,
      agenda,
      world,
      plan.connectMs,
      networkDelay,
      servers.length,
    );
    for (const [index, { endpoint }] of servers.entries()) this.#serverOf.set(endpoint.id, index);
    const endpoints = announced.map((index) => servers[index]!.endpoint);
    const members = plan.membershipChanges ? undefined : subsets(endpoints, plan.subsetSize);
    this.clients = Array.from({ length: plan.clients }, () =>
      this.#client(factory, stream(), endpoints, members),
    );
    this.#picker = this.clients[0]!.balancer.picker.name;
    const all = servers.map(({ endpoint }) => endpoint);
    const news = new News(all, announced, this.clients, plan.discoveryDelay, agenda, world);
    schedule(plan, { agenda, servers: this.#servers, connections: this.#connections, news, random: world });
  }

  /**
   * @param progress - hears now and then how much of the arrivals is done, from 0 to 1.
   * @throws BalancerError PICKER_FAILED when the picker throws, loops, or chooses what it must not.
   */
  run(progress: (part: number) => void = () => {}): RunResult {
    const { durationMs } = this.plan;
    const giveUpAt = durationMs + Math.max(durationMs, PATIENCE_MS);
    const watchdog = new Watchdog(`picker ${this.#picker}`);
    watchdog.run(() => {
      while (this.agenda.nextTimerAt <= 0) this.agenda.runTimers();
    });
    const connections = this.#connections.counts();
    for (let goesOn = true; goesOn; ) {
      goesOn = watchdog.run(() => {
        const until = systemClock.now() + STRETCH_MS;
        do {
          for (let left = STEPS_A_LOOK; left > 0; left--) if (!this.#step(giveUpAt)) return false;
        } while (systemClock.now() < until);
        return true;
      });
      progress(Math.min(1, this.agenda.now() / durationMs));
    }
    const recording = this.#recorder.recording(Math.max(durationMs, this.agenda.now()));
    const unfinished = [...this.caller.calls].filter(
      ({ ended, arrivedAt }) => !ended && arrivedAt >= this.plan.warmUpMs,
    ).length;
    return { picker: this.#picker, seed: this.seed, ...recording, unfinished, connections };
  }

  connect(connection: SimulatedConnection, server: number): void {
    this.#connections.connect(connection, server);
  }

  disconnect(connection: SimulatedConnection, server: number): void {
    this.#connections.disconnect(connection, server);
  }

  serverOf({ id }: Endpoint): number {
    return this.#serverOf.get(id)!;
  }

  cut(row: Row<SimulatedSubchannel>): void {
    this.caller.cut(row);
  }

  unansweredCalls(row: Row<SimulatedSubchannel>): Iterable<UnansweredCall> {
    return this.caller.unansweredCalls(row);
  }

  /** Does what is due next. Of what is due at the same moment, what has ended goes before what begins. */
  #step(giveUpAt: number): boolean {
    const agenda = this.agenda;
    const caller = this.caller;
    const arrivalAt = this.#arrivals.nextAt;
    const timerAt = agenda.nextTimerAt;
    const eventAt = agenda.nextEventAt;
    const deadlineAt = caller.deadlines.nextAt;
    const attemptDeadlineAt = caller.attemptDeadlines.nextAt;
    const now = Math.min(arrivalAt, timerAt, eventAt, deadlineAt, attemptDeadlineAt);
    if (now >= this.plan.durationMs && (caller.calls.used === 0 || now > giveUpAt)) return false;
    agenda.advance(now);
    if (timerAt === now) agenda.runTimers();
    else if (eventAt === now) this.#event(agenda.takeEvent());
    else if (attemptDeadlineAt === now) this.#attemptDeadline();
    else if (deadlineAt === now) this.#deadline();
    else {
      this.#arrivals.advance();
      if (now < this.plan.durationMs) this.#arrive();
    }
    return true;
  }

  #arrive(): void {
    const { clients, keys, arrivals: plan } = this.plan;
    let client = 0;
    if (clients > 1) {
      if (plan.kind === 'uniform') {
        client = this.#turn;
        this.#turn = this.#turn + 1 === clients ? 0 : this.#turn + 1;
      } else {
        client = this.#traffic(clients);
      }
    }
    this.caller.begin(this.clients[client]!, keys?.draw(this.#traffic));
  }

  #event(event: number): void {
    const kind = kindOf(event);
    const index = indexOf(event);
    if (kind === EventKind.hedge) this.caller.hedge(this.caller.calls.at(index));
    else this.caller.event(kind, this.caller.attempts.at(index));
  }

  #deadline(): void {
    const { deadlines, calls } = this.caller;
    const call = calls.at(deadlines.nextId);
    const over = call.ended || call.generation !== deadlines.nextGeneration;
    deadlines.shift();
    if (!over) this.caller.timedOut(call);
  }

  #attemptDeadline(): void {
    const { attemptDeadlines, attempts } = this.caller;
    const attempt = attempts.at(attemptDeadlines.nextId);
    const over = attempt.phase === 'idle' || attempt.generation !== attemptDeadlines.nextGeneration;
    attemptDeadlines.shift();
    if (!over) this.caller.attemptTimedOut(attempt);
  }

  #client(
    factory: PickerFactory,
    random: Random,
    endpoints: readonly Endpoint[],
    members: ((seed: number) => readonly Endpoint[]) | undefined,
  ): Client {
    const { plan } = this;
    const { subsetSize } = plan;
    const subset = subsetSize === undefined ? undefined : { size: subsetSize, seed: random(2 ** 32) };
    const hedgesLate = plan.hedge !== undefined && typeof plan.hedge.delayMs !== 'number';
    const inTable = members === undefined && subset !== undefined;
    const client = new Client(
      {
        table: inTable ? { ...plan.table, subset } : plan.table,
        maxWaiting: plan.maxWaiting,
        retryBudget: plan.retryBudget,
        outlier: plan.outlier,
        latencies: plan.timeoutMs !== Number.POSITIVE_INFINITY || hedgesLate,
      },
      factory({ random }),
      random,
      this,
    );
    const heard = members === undefined || subset === undefined ? endpoints : members(subset.seed);
    client.balancer.applySnapshot(heard, 0);
    return client;
  }
}

/**
 * Who is in a client's subset, where nobody comes and goes: then a table of the members alone does as one of all servers
 * would, of whom a client of a big fleet would know 10,000 and use 50.
 */
function subsets(
  endpoints: readonly Endpoint[],
  size: number | undefined,
): ((seed: number) => readonly Endpoint[]) | undefined {
  if (size === undefined) return () => endpoints;
  const rows = endpoints.map((endpoint, slot) => new Row(endpoint, slot, Number.POSITIVE_INFINITY));
  return (seed) => {
    const members = new Set<Row>();
    const subset = new Subset({ size, seed }, (row, member) => {
      if (member) members.add(row);
      else members.delete(row);
    });
    for (const row of rows) subset.add(row);
    return Array.from(members, ({ endpoint }) => endpoint);
  };
}
