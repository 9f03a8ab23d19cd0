// What every transport has to do. A transport brings a way to make a connection, and a server at the other end of it.
import { CallCredentials, Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { HealthService } from '../../../generated/grpc/health/v1/health.js';
import type {
  CallListener,
  CallStart,
  Connection,
  ConnectionEvent,
  Holder,
  WireCall,
  WireStatus,
} from '../../../src/balancer/transport/transport.js';
import { Status } from '../../../src/base/errors.js';
import { settle } from '../../../src/testing/index.js';

/** A connection that has been made, and who is at its other end. */
export interface ContractPair {
  readonly connection: Connection;
  /** What the connection has told so far. */
  readonly events: readonly ConnectionEvent[];
  readonly server: ContractServer;
}

export interface ContractServer {
  /** The next call that comes to the server, in the order in which they come. */
  next(): Promise<ContractCall>;
  /** How many have come. */
  readonly calls: number;
  /** Drops the connection without a word. */
  drop(): void;
  /** Whether the connection is there. */
  readonly connected: boolean;
}

/** A call as its server has it, which does what the test says. */
export interface ContractCall {
  readonly path: string;
  readonly authority: string | undefined;
  header(name: string): string | undefined;
  /** What the call has to send in all, once it has half-closed. */
  received(): Promise<string[]>;
  headers(): void;
  message(text: string): void;
  /** Headers come first when there were none, but for an error, which is then alone. */
  end(code?: number, details?: string, trailers?: Record<string, string>): void;
  /** REFUSED_STREAM. */
  refuse(): void;
  /** Resolves when the client has cancelled it. */
  readonly cancelled: Promise<void>;
}

export interface ContractOptions {
  /** The transport has no time of its own, or no credentials: a fake. */
  readonly fake?: boolean;
}

const PATH = HealthService.watch.path;

/** All that a call tells, in order. */
class Heard implements CallListener {
  readonly log: string[] = [];
  headers: Metadata | undefined;
  readonly status: Promise<WireStatus>;
  #resolve: (status: WireStatus) => void = () => {};

  constructor() {
    this.status = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  onHeaders(headers: () => Metadata): void {
    this.headers = headers();
    this.log.push('headers');
  }

  onMessage(bytes: Buffer): void {
    this.log.push(bytes.toString());
  }

  onStatus(status: WireStatus): void {
    this.log.push(`status ${status.code}`);
    this.#resolve(status);
  }
}

class Held implements Holder {
  before = undefined;
  after = undefined;
  readonly method = undefined;
  readonly cuts: string[] = [];

  constructor(
    readonly unary: boolean,
    readonly startedAt: number,
    readonly byHand = false,
  ) {}

  cut(details: string): void {
    this.cuts.push(details);
  }
}

function start(
  connection: Connection,
  init: Partial<CallStart> = {},
  timeoutMs = Number.POSITIVE_INFINITY,
): { call: WireCall; heard: Heard } {
  const heard = new Heard();
  const call = connection.start({ path: PATH, metadata: new Metadata(), ...init }, timeoutMs, heard);
  return { call, heard };
}

/** A unary call, sent whole. */
function startUnary(...[connection, init, timeoutMs]: Parameters<typeof start>) {
  const { call, heard } = start(connection, init, timeoutMs);
  call.startRead();
  call.sendMessage(Buffer.from('request'));
  call.halfClose();
  return { call, heard };
}

/**
 * The contract of a transport (`src/balancer/transport/transport.ts`).
 *
 * @param make - a connection that is READY.
 */
export function describeTransport(
  name: string,
  make: () => Promise<ContractPair>,
  { fake = false }: ContractOptions = {},
): void {
  describe(`${name}, as a transport,`, () => {
    it('tells that it is READY, once', async () => {
      const { events } = await make();
      expect(events.filter(({ kind }) => kind !== 'stream-limit')).toEqual([{ kind: 'ready' }]);
    });

    it('brings a call to the server, and its answer back in order, not in the turn of its start', async () => {
      const { connection, server } = await make();
      const { heard } = startUnary(connection);
      expect(heard.log).toEqual([]);
      const there = await server.next();
      expect(there.path).toBe(PATH);
      expect(await there.received()).toEqual(['request']);
      there.headers();
      there.message('reply');
      there.end(Status.OK, '', { 'x-trailer': 'a' });
      const { code, metadata } = await heard.status;
      expect(code).toBe(Status.OK);
      expect(metadata.get('x-trailer')).toEqual(['a']);
      expect(heard.log).toEqual(['headers', 'reply', 'status 0']);
    });

    it('sends metadata as it was at the start, changes nothing in it, and the authority that is asked for', async () => {
      const { connection, server } = await make();
      const metadata = new Metadata();
      metadata.set('x-name', 'alice');
      Object.freeze(metadata);
      startUnary(connection, { metadata, authority: 'other.example' });
      expect(metadata.getMap()).toEqual({ 'x-name': 'alice' });
      metadata.set('x-name', 'mallory');
      const there = await server.next();
      expect(there.header('x-name')).toBe('alice');
      expect(there.authority).toBe('other.example');
      there.end();
    });

    it('sends messages in order, and says of each when it is written', async () => {
      const { connection, server } = await make();
      const { call, heard } = start(connection);
      for (const text of ['a', 'b', 'c']) {
        await new Promise<void>((resolve) => {
          let turn = 'the same';
          call.sendMessage(Buffer.from(text), () => {
            expect(turn).toBe('a later one');
            resolve();
          });
          turn = 'a later one';
        });
      }
      call.halfClose();
      const there = await server.next();
      expect(await there.received()).toEqual(['a', 'b', 'c']);
      there.end();
      await heard.status;
    });

    it('gives no message that was not asked for', async () => {
      const { connection, server } = await make();
      const { call, heard } = start(connection);
      call.sendMessage(Buffer.from('request'));
      call.halfClose();
      const there = await server.next();
      there.headers();
      for (const text of ['a', 'b']) there.message(text);
      await expect.poll(() => heard.log).toEqual(['headers']);
      await settle();
      expect(heard.log).toEqual(['headers']);
      call.startRead();
      await expect.poll(() => heard.log).toEqual(['headers', 'a']);
      await settle();
      expect(heard.log).toEqual(['headers', 'a']);
      call.startRead();
      await expect.poll(() => heard.log).toEqual(['headers', 'a', 'b']);
      there.end();
      expect((await heard.status).code).toBe(Status.OK);
    });

    it('tells of an error without headers, with its details, as one that may have been processed', async () => {
      const { connection, server } = await make();
      const { heard } = startUnary(connection);
      (await server.next()).end(Status.NOT_FOUND, 'no such thing');
      expect(await heard.status).toMatchObject({
        code: Status.NOT_FOUND,
        details: 'no such thing',
        reached: 'maybe',
      });
      expect(heard.log.at(-1)).toBe('status 5');
    });

    it('knows who has the call, once somebody has', async () => {
      const { connection, server } = await make();
      const { call, heard } = startUnary(connection);
      const there = await server.next();
      expect(call.peer).toEqual(expect.any(String));
      there.end();
      await heard.status;
    });

    describe('says of a call that failed whether a server can have processed it:', () => {
      it('refused, when the stream was', async () => {
        const { connection, server } = await make();
        const { heard } = startUnary(connection);
        (await server.next()).refuse();
        expect(await heard.status).toMatchObject({ code: Status.UNAVAILABLE, reached: 'refused' });
        expect(heard.log).toEqual(['status 14']);
      });

      it('maybe, when the server only says so', async () => {
        const { connection, server } = await make();
        const { heard } = startUnary(connection);
        (await server.next()).end(Status.UNAVAILABLE, 'Stream refused by server');
        expect(await heard.status).toMatchObject({ code: Status.UNAVAILABLE, reached: 'maybe' });
      });

      it('maybe, when the connection is lost, of which it tells', async () => {
        const { connection, server, events } = await make();
        const { heard } = startUnary(connection);
        await server.next();
        server.drop();
        expect(await heard.status).toMatchObject({ code: Status.UNAVAILABLE, reached: 'maybe' });
        await expect.poll(() => events.at(-1)).toEqual({ kind: 'lost' });
      });

      it('never, on a connection that was retired', async () => {
        const { connection, server } = await make();
        connection.retire();
        const { heard } = startUnary(connection);
        expect(heard.log).toEqual([]);
        expect(await heard.status).toMatchObject({ code: Status.UNAVAILABLE, reached: 'never' });
        expect(server.calls).toBe(0);
      });

      it.each([0, -1, Number.NEGATIVE_INFINITY])('never, with %d ms left', async (timeoutMs) => {
        const { connection, server } = await make();
        const { heard } = startUnary(connection, {}, timeoutMs);
        expect(heard.log).toEqual([]);
        expect(await heard.status).toMatchObject({ code: Status.DEADLINE_EXCEEDED, reached: 'never' });
        startUnary(connection);
        (await server.next()).end();
        expect(server.calls).toBe(1);
      });

      it.runIf(!fake)('unsendable, when its credentials give nothing', async () => {
        const { connection, server } = await make();
        const credentials = CallCredentials.createFromMetadataGenerator((_, callback) =>
          callback(Object.assign(new Error('no token'), { code: Status.UNAVAILABLE })),
        );
        const { heard } = startUnary(connection, { credentials });
        const { reached, details } = await heard.status;
        expect({ reached, details }).toEqual({
          reached: 'unsendable',
          details: expect.stringContaining('no token'),
        });
        expect(server.calls).toBe(0);
      });
    });

    describe('a call with a time limit', () => {
      it.runIf(!fake)('ends by itself when it is over, and its server is told', async () => {
        const { connection, server } = await make();
        const { heard } = startUnary(connection, {}, 200);
        const there = await server.next();
        expect(there.header('grpc-timeout')).toMatch(/^\d{1,8}[numSMH]$/);
        expect(await heard.status).toMatchObject({ code: Status.DEADLINE_EXCEEDED });
        await there.cancelled;
      });

      it.each([1e9, Number.MAX_SAFE_INTEGER, 1e300])('is sent, with %d ms', async (timeoutMs) => {
        const { connection, server } = await make();
        const { heard } = startUnary(connection, {}, timeoutMs);
        const there = await server.next();
        there.headers();
        there.message('reply');
        there.end();
        expect(await heard.status).toMatchObject({ code: Status.OK });
      });
    });

    describe('a call that is cancelled', () => {
      it('in the turn in which it starts is never there', async () => {
        const { connection, server } = await make();
        const { call, heard } = startUnary(connection);
        call.cancel(Status.CANCELLED, 'no more');
        expect(heard.log).toEqual([]);
        expect(await heard.status).toMatchObject({ code: Status.CANCELLED, details: 'no more' });
        const next = startUnary(connection, { path: '/the/next' });
        const there = await server.next();
        if (!fake) expect(there.path).toBe('/the/next');
        there.end();
        next.call.cancel(Status.CANCELLED, 'that, too');
        await next.heard.status;
      });

      it('on its server ends there, and leaves others alone', async () => {
        const { connection, server } = await make();
        const first = startUnary(connection);
        const other = startUnary(connection);
        const [firstThere, otherThere] = [await server.next(), await server.next()];
        first.call.cancel(Status.UNAVAILABLE, 'moved');
        expect(first.heard.log).toEqual([]);
        expect(await first.heard.status).toMatchObject({
          code: Status.UNAVAILABLE,
          details: 'moved',
          reached: 'maybe',
        });
        await firstThere.cancelled;
        otherThere.headers();
        otherThere.message('reply');
        otherThere.end();
        expect((await other.heard.status).code).toBe(Status.OK);
      });

      it('has one end, however often, and also when it had ended', async () => {
        const { connection, server } = await make();
        const { call, heard } = startUnary(connection);
        (await server.next()).end(Status.ABORTED, 'no');
        await heard.status;
        for (let i = 0; i < 3; i++) call.cancel(Status.CANCELLED, 'too late');
        call.startRead();
        await settle();
        expect(heard.log.filter((line) => line.startsWith('status'))).toEqual(['status 10']);
      });
    });

    describe('a connection that is held', () => {
      it('knows by how many, and the unary calls among them, oldest first', async () => {
        const { connection } = await make();
        const holders = [new Held(false, 1), new Held(true, 3), new Held(true, 4), new Held(false, 2, true)];
        const on = holders.map((holder) => connection.hold(holder));
        const unary = () => Array.from(connection.unansweredCalls(), ({ startedAt }) => startedAt);
        expect([connection.held, unary()]).toEqual([4, [3, 4]]);
        on[1]!.release(holders[1]!);
        expect([connection.held, unary()]).toEqual([3, [4]]);
        connection.cut('drained');
        expect(holders.map(({ cuts }) => cuts)).toEqual([['drained'], [], ['drained'], ['drained']]);
        for (const at of [0, 2, 3]) on[at]!.release(holders[at]!);
        expect([connection.held, unary()]).toEqual([0, []]);
      });

      it('lets its calls finish when it is retired, and is gone with the last', async () => {
        const { connection, server } = await make();
        const holder = new Held(true, 1);
        const on = connection.hold(holder);
        const { heard } = startUnary(on);
        const there = await server.next();
        connection.retire();
        await settle();
        expect(server.connected).toBe(true);
        there.headers();
        there.message('reply');
        there.end();
        expect((await heard.status).code).toBe(Status.OK);
        on.release(holder);
        await expect.poll(() => server.connected).toBe(false);
      });

      it('makes calls for a pick by hand, though it is retired', async () => {
        const { connection, server } = await make();
        const holder = new Held(false, 1, true);
        const on = connection.hold(holder);
        connection.retire();
        const { heard } = startUnary(on);
        const there = await server.next();
        there.headers();
        there.message('reply');
        there.end();
        expect((await heard.status).code).toBe(Status.OK);
        on.release(holder);
        await expect.poll(() => server.connected).toBe(false);
      });

      it('tells nothing once it is retired', async () => {
        const { connection, server, events } = await make();
        const before = events.length;
        connection.retire();
        server.drop();
        await expect.poll(() => server.connected).toBe(false);
        await settle();
        expect(events.length).toBe(before);
      });
    });
  });
}
