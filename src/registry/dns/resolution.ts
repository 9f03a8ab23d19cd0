import { isIP } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { asError, BalancerError } from '../../base/errors.js';
import type { AddressRecord, Asker, Family } from './asker.js';
import { isUnspecified, type ServerRecord, shareOf } from './records.js';
import { type DnsTarget, isDnsName, withoutDot } from './target.js';

/** The most targets of SRV records that are asked for, and the most addresses that are taken in all. */
const MAX_TARGETS = 2_000;
const MAX_ADDRESSES = 20_000;
/** How many questions are open at once. */
const CONCURRENCY = 32;

/** What DNS said. */
export interface Resolution {
  readonly records: readonly ServerRecord[];
  /** The least time to live of the addresses, in seconds; undefined where none was told. */
  readonly ttlSeconds: number | undefined;
  /** Why the records are not known to be all of today: a question failed, and its answer is the last that there was. */
  readonly doubt: Error | undefined;
  /** How many questions it took. */
  readonly questions: number;
  /** What was left out, and why. */
  readonly skipped: readonly string[];
}

export interface ResolverOptions {
  readonly asker: Asker;
  /** What to try when a host has no address, for the message that says so. */
  readonly cure: string;
  readonly families: readonly Family[];
  readonly clock: Clock;
  /** For each of the two steps of an SRV name, and for the one of a host, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends it at once, as if its time were over. */
  readonly signal: AbortSignal;
}

interface Question<T> {
  /** For messages. */
  readonly what: string;
  ask(): Promise<T>;
}

/** A target of SRV records, or the host itself. */
interface Server {
  readonly host: string;
  readonly port: number;
  readonly srv?: { readonly target: string; readonly priority: number; readonly weight: number };
}

interface Found {
  readonly ips: readonly string[];
  readonly ttl: number | undefined;
  readonly failure: Error | undefined;
}

/**
 * Resolves one target, again and again. A question that fails while others are answered keeps its last answer, which is
 * then in doubt, so that neither one broken name nor a server that fails for AAAA hides what is known.
 */
export class Resolver {
  readonly #target: DnsTarget;
  /** The last answer to each question of the last resolution. */
  #last = new Map<string, readonly string[]>();

  constructor(target: DnsTarget) {
    this.#target = target;
  }

  /**
   * @throws BalancerError REGISTRY_UNAVAILABLE when no question was answered, or nothing is there: no address is more
   *   often a mistake than the truth. SRV alone can say that there is no server, by the target `.` (RFC 2782).
   */
  async resolve(options: ResolverOptions): Promise<Resolution> {
    const skipped: string[] = [];
    const servers = await this.#servers(options, skipped);
    const names = [...new Set(servers.map(({ host }) => host))];
    const found = await this.#addresses(names, options);
    const failures = [...found.values()].flatMap(({ failure }) => failure ?? []);
    if (failures.length > 0 && failures.length === found.size) throw failures[0]!;

    const records: ServerRecord[] = [];
    for (const server of servers) {
      const ips = options.families.flatMap((family) => found.get(`${family} ${server.host}`)?.ips ?? []);
      const good = ips.filter((ip) => !isUnspecified(ip));
      if (good.length < ips.length)
        skipped.push(`${server.host} is at an address that is none, such as 0.0.0.0`);
      if (good.length === 0 && server.srv !== undefined) skipped.push(`${server.host} has no address`);
      for (const ip of good) records.push(recordOf(server, ip, good.length));
    }
    if (records.length === 0 && servers.length > 0) throw failures[0] ?? nothing(this.#target, options.cure);
    const doubts = [...found].flatMap(([question, { failure }]) =>
      failure !== undefined && this.#last.has(question) ? failure : [],
    );
    for (const failure of failures) if (!doubts.includes(failure)) skipped.push(failure.message);
    this.#remember(found);
    const ttls = [...found.values()].flatMap(({ ttl }) => ttl ?? []);
    return {
      records,
      ttlSeconds: ttls.length === 0 ? undefined : Math.min(...ttls),
      doubt: doubts[0],
      questions: found.size + Number(this.#target.kind === 'srv'),
      skipped: [...new Set(skipped)].sort(),
    };
  }

  async #servers(options: ResolverOptions, skipped: string[]): Promise<Server[]> {
    const target = this.#target;
    if (target.kind === 'host') return [target];
    const question = { what: `SRV of ${target.name}`, ask: () => options.asker.services(target.name) };
    const answer = (await within(options, [question]))[0]!;
    if (answer instanceof Error) throw answer;
    if (answer.length === 0) throw nothing(target, options.cure);
    if (answer.length > MAX_TARGETS) {
      throw unavailable(`${target.name} has ${answer.length} SRV records, more than ${MAX_TARGETS}`);
    }
    const servers: Server[] = [];
    let decidedlyNone = false;
    for (const { name, port, priority, weight } of answer) {
      const host = withoutDot(name).toLowerCase();
      if (host === '') {
        // "." says that there is decidedly no such service (RFC 2782).
        decidedlyNone = true;
      } else if (port === 0 || (isIP(host) === 0 && !isDnsName(host))) {
        skipped.push(`SRV ${JSON.stringify(name.slice(0, 253))} port ${port} is no server`);
      } else {
        servers.push({ host, port, srv: { target: host, priority, weight } });
      }
    }
    if (servers.length === 0 && !decidedlyNone) throw nothing(target, options.cure);
    return servers;
  }

  /** What is known of each question, `4 host` or `6 host`. */
  async #addresses(names: readonly string[], options: ResolverOptions): Promise<Map<string, Found>> {
    const { asker, families } = options;
    const questions = names.flatMap((host) => families.map((family) => ({ host, family })));
    const answers = await within(
      options,
      questions.map(({ host, family }) => ({
        what: `${family === 4 ? 'A' : 'AAAA'} of ${host}`,
        async ask(): Promise<readonly AddressRecord[]> {
          const literal = isIP(host);
          if (literal === 0) return asker.addresses(host, family);
          return literal === family ? [{ address: host }] : [];
        },
      })),
    );
    const found = new Map<string, Found>();
    let count = 0;
    for (const [i, { host, family }] of questions.entries()) {
      const question = `${family} ${host}`;
      const answer = answers[i]!;
      const failed = answer instanceof Error;
      const ips = failed
        ? (this.#last.get(question) ?? [])
        : [...new Set(answer.map(({ address }) => address))];
      const ttls = failed ? [] : answer.flatMap(({ ttl }) => ttl ?? []);
      count += ips.length;
      if (count > MAX_ADDRESSES)
        throw unavailable(`${describe(this.#target)} has more than ${MAX_ADDRESSES} addresses`);
      found.set(question, {
        ips,
        ttl: ttls.length === 0 ? undefined : Math.min(...ttls),
        failure: failed ? answer : undefined,
      });
    }
    return found;
  }

  #remember(found: ReadonlyMap<string, Found>): void {
    const answered = [...found].filter(([, { ips }]) => ips.length > 0);
    this.#last = new Map(answered.map(([question, { ips }]) => [question, ips]));
  }
}

function recordOf({ port, srv }: Server, ip: string, addresses: number): ServerRecord {
  if (srv === undefined) return { ip, port };
  return { ip, port, srv: { ...srv, weight: shareOf(srv.weight, addresses) } };
}

/**
 * Asks all, a few at a time; each comes to its answer or to its failure. When the time is over, what is open is cancelled
 * and what was not asked is not asked any more.
 */
async function within<T>(
  { asker, clock, timeoutMs, signal }: ResolverOptions,
  questions: readonly Question<T>[],
): Promise<(T | BalancerError)[]> {
  const late = `no answer within ${timeoutMs} ms`;
  const failure = ({ what }: Question<T>, why: string, cause?: unknown) =>
    unavailable(`DNS: ${what}: ${why}`, cause);
  const answers = questions.map((question): T | BalancerError => failure(question, late));
  let next = 0;
  let over = false;
  const work = async () => {
    while (!over && next < questions.length) {
      const i = next++;
      const question = questions[i]!;
      try {
        answers[i] = await question.ask();
      } catch (thrown) {
        answers[i] = failure(question, reasonOf(thrown) ?? late, thrown);
      }
    }
  };
  await new Promise<void>((resolve, reject) => {
    const end = () => {
      over = true;
      cancelTimer();
      signal.removeEventListener('abort', cancel);
      resolve();
    };
    const cancel = () => {
      asker.cancel();
      end();
    };
    const cancelTimer = clock.after(timeoutMs, cancel);
    signal.addEventListener('abort', cancel, { once: true });
    Promise.all(Array.from({ length: Math.min(CONCURRENCY, questions.length) }, work)).then(end, reject);
    if (signal.aborted) cancel();
  });
  // Answers that come later are not for this one.
  return [...answers];
}

/** Why a question failed, in the words of DNS; undefined: for want of time. */
function reasonOf(thrown: unknown): string | undefined {
  const { code } = thrown as { code?: string };
  if (code === 'ECANCELLED' || code === 'ETIMEOUT') return undefined;
  return code ?? asError(thrown).message;
}

function describe(target: DnsTarget): string {
  return target.kind === 'host' ? target.host : target.name;
}

function nothing(target: DnsTarget, cure: string): BalancerError {
  return unavailable(
    target.kind === 'host'
      ? `DNS: ${target.host} has no address; ${cure}`
      : `DNS: ${target.name} has no server that has an address`,
  );
}

function unavailable(message: string, cause?: unknown): BalancerError {
  return new BalancerError('REGISTRY_UNAVAILABLE', message, { cause });
}
