import { Status } from '../../src/base/errors.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { Attempt, type AttemptHost, Store } from '../../src/simulator/clients/calls.js';
import type { Plan } from '../../src/simulator/scenario/plan.js';
import { Agenda, indexOf } from '../../src/simulator/world/agenda.js';
import { Connections } from '../../src/simulator/world/connections.js';
import { News } from '../../src/simulator/world/news.js';
import { Servers } from '../../src/simulator/world/servers.js';
import { schedule } from '../../src/simulator/world/timeline.js';

const NO_CALLS: AttemptHost = { opened() {}, refused() {} };

/**
 * A server of the simulator in real time: the same places, queue, service times and timeline, whose answers come when the
 * clock says so. What makes a call slow here is what makes it slow there.
 */
export class LiveServer {
  calls = 0;
  readonly #beganAt = performance.now();
  readonly #agenda = new Agenda();
  readonly #attempts = new Store((index) => new Attempt(index, NO_CALLS));
  readonly #servers: Servers;
  /** By attempt: who waits for its answer. */
  readonly #waiting: ((code: number) => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** Begins at once. */
  constructor(
    plan: Plan,
    private readonly server: number,
    seed: number,
  ) {
    const random: Random = seededRandom(seed * 1_000 + server);
    this.#servers = new Servers(plan.servers, this.#agenda, random, this.#attempts, {
      answers: (attempt, code) => this.#answers(attempt, code),
      queued: () => {},
    });
    // The whole fleet's timeline, of which this server sees its own part.
    const world = seededRandom(seed);
    const endpoints = plan.servers.map(({ endpoint }) => endpoint);
    const connections = new Connections(this.#servers, this.#agenda, world, 0, undefined, endpoints.length);
    const news = new News(endpoints, [], [], plan.discoveryDelay, this.#agenda, world);
    schedule(plan, { agenda: this.#agenda, servers: this.#servers, connections, news, random: world });
    this.#catchUp();
  }

  /**
   * A call comes in.
   *
   * @param answer - hears its status code, once.
   * @returns what tells that its client has given it up.
   */
  serve(answer: (code: number) => void): () => void {
    this.#catchUp();
    this.calls++;
    const attempt = this.#attempts.take();
    attempt.server = this.server;
    attempt.phase = 'travelling';
    attempt.abandoned = false;
    const { index, generation } = attempt;
    this.#waiting[index] = answer;
    this.#servers.arrive(attempt);
    this.#arm();
    return () => {
      if (attempt.generation !== generation) return;
      attempt.abandoned = true;
      this.#catchUp();
      this.#servers.cancel(attempt);
    };
  }

  stop(): void {
    clearTimeout(this.#timer);
    for (const answer of this.#waiting) answer?.(Status.UNAVAILABLE);
  }

  #answers(attempt: Attempt, code: number): void {
    const answer = this.#waiting[attempt.index];
    this.#waiting[attempt.index] = () => {};
    attempt.phase = 'idle';
    attempt.generation++;
    if (attempt.events === 0) this.#attempts.give(attempt);
    answer?.(code);
  }

  /** Does what has fallen due, each at its time, and lets time be now. */
  #catchUp(): void {
    const agenda = this.#agenda;
    const now = performance.now() - this.#beganAt;
    for (let next = this.#next(); next <= now; next = this.#next()) {
      agenda.advance(next);
      if (agenda.nextTimerAt === next) agenda.runTimers();
      else this.#done(this.#attempts.at(indexOf(agenda.takeEvent())));
    }
    agenda.advance(now);
    this.#arm();
  }

  #done(attempt: Attempt): void {
    attempt.events--;
    if (attempt.phase !== 'idle') this.#servers.done(attempt);
    else if (attempt.events === 0) this.#attempts.give(attempt);
  }

  #next(): number {
    return Math.min(this.#agenda.nextEventAt, this.#agenda.nextTimerAt);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const next = this.#next();
    if (next === Number.POSITIVE_INFINITY) return;
    const ms = next - (performance.now() - this.#beganAt);
    this.#timer = setTimeout(() => this.#catchUp(), Math.max(0, ms));
  }
}
