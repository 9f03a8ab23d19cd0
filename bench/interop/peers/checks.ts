import { deepEqual, equal, ok } from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import type { EchoReply, EchoRequest, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import type { CallError, Stub } from '../../../src/index.js';
import { Turns } from '../support/turns.js';

export type EchoStub = Stub<typeof EchoService>;
export type Check = (echo: EchoStub) => Promise<void>;

/** What all peers allow on one connection; a fifth of what {@link many} asks for. */
export const MAX_CONCURRENT_STREAMS = 10;
/** Below the 4 MiB that most servers take by default. */
const BIG_BYTES = 3 * 1024 * 1024;

/** The four kinds of call. */
export const KINDS: Readonly<Record<string, Check>> = {
  async unary(echo) {
    deepEqual(await payloadOf(echo.unary(request({ payload: bytes(100) }))), bytes(100));
    deepEqual(await payloadOf(echo.unary(request({}))), bytes(0));
  },

  async 'server stream'(echo) {
    const replies = await all(echo.serverStream(request({ payload: bytes(1_000), count: 100 })));
    equal(replies.length, 100);
    for (const { payload } of replies) deepEqual(payload, bytes(1_000));
    deepEqual(await all(echo.serverStream(request({ count: 0 }))), []);
  },

  async 'client stream'(echo) {
    const { payload, seen } = await echo.clientStream(times(100, { payload: bytes(10) }));
    equal(seen, 100);
    deepEqual(payload, Buffer.concat(Array.from({ length: 100 }, () => bytes(10))));
    equal((await echo.clientStream([])).seen, 0);
  },

  async bidi(echo) {
    const received = new Turns();
    async function* requests() {
      for (let turn = 0; turn < 20; turn++) {
        await received.reached(turn);
        yield request({ payload: Buffer.from([turn]) });
      }
    }
    const replies = await all(echo.bidi(requests()), () => received.next());
    deepEqual(
      replies.map(({ payload }) => payload[0]),
      Array.from({ length: 20 }, (_, turn) => turn),
    );
  },
};

/** Whatever else a client must get right. */
export const REST: Readonly<Record<string, Check>> = {
  async statuses(echo) {
    const failing = { code: status.FAILED_PRECONDITION, details: 'nicht heute: 100 % ☔' };
    await fails(echo.unary(request(failing)), failing);
    await fails(all(echo.serverStream(request({ ...failing, count: 2 }))), failing);
    await fails(echo.clientStream([request(failing)]), failing);
    await fails(all(echo.bidi([request(failing)])), failing);
  },

  async 'big messages'(echo) {
    deepEqual(await payloadOf(echo.unary(request({ payload: bytes(BIG_BYTES) }))), bytes(BIG_BYTES));
  },

  async 'big messages both ways at once'(echo) {
    const replies = await all(echo.bidi(times(8, { payload: bytes(BIG_BYTES / 3) })));
    equal(replies.length, 8);
    for (const { payload } of replies) deepEqual(payload, bytes(BIG_BYTES / 3));
  },

  /** More calls than one connection may carry: none is refused, all are answered. */
  async 'stream limit'(echo) {
    const calls = times(5 * MAX_CONCURRENT_STREAMS, { delayMs: 20 }).map((each) => echo.unary(each));
    equal((await Promise.all(calls)).length, 5 * MAX_CONCURRENT_STREAMS);
  },

  /** Many streams at once, each of many messages: none waits for another for ever. */
  async 'streams side by side'(echo) {
    const streams = times(MAX_CONCURRENT_STREAMS - 1, { payload: bytes(50_000), count: 40 });
    const counts = await Promise.all(
      streams.map(async (each) => (await all(echo.serverStream(each))).length),
    );
    ok(counts.every((count) => count === 40));
  },

  // Last, because servers go on working on calls that nobody waits for, and C-core's counts them among the streams.
  async deadlines(echo) {
    const late = { code: status.DEADLINE_EXCEEDED };
    const slow = request({ delayMs: 2_000, count: 1 });
    const timeoutMs = 100;
    await fails(echo.unary(slow, { timeoutMs }), late);
    await fails(all(echo.serverStream(slow, { timeoutMs })), late);
    await fails(echo.clientStream([slow], { timeoutMs }), late);
    await fails(all(echo.bidi([slow], { timeoutMs })), late);
  },

  async cancellation(echo) {
    const cancelled = { code: status.CANCELLED };
    const slow = request({ delayMs: 2_000, count: 1 });
    await fails(echo.unary(slow, { signal: AbortSignal.timeout(100) }), cancelled);
    await fails(echo.clientStream([slow], { signal: AbortSignal.timeout(100) }), cancelled);
    const abort = new AbortController();
    const stream = echo.serverStream(request({ delayMs: 1, count: 10_000 }), { signal: abort.signal });
    await fails(
      all(stream, () => abort.abort()),
      cancelled,
    );
    // Left early: nothing is told, and the stream is cancelled.
    for await (const _ of echo.serverStream(request({ delayMs: 1, count: 10_000 }))) break;
  },
};

export function request(init: Partial<EchoRequest>): EchoRequest {
  return { payload: Buffer.alloc(0), delayMs: 0, code: 0, details: '', count: 0, ...init };
}

function times(count: number, init: Partial<EchoRequest>): EchoRequest[] {
  return Array.from({ length: count }, () => request(init));
}

/** Bytes that neither are alike nor compress to nothing. */
function bytes(size: number): Buffer {
  const made = Buffer.alloc(size);
  for (let at = 0; at < size; at++) made[at] = (at * at + (at >> 8)) & 0xff;
  return made;
}

async function payloadOf(reply: Promise<EchoReply>): Promise<Buffer> {
  return Buffer.from((await reply).payload);
}

async function all(replies: AsyncIterable<EchoReply>, heard: () => void = () => {}): Promise<EchoReply[]> {
  const received: EchoReply[] = [];
  for await (const reply of replies) {
    received.push(reply);
    heard();
  }
  return received;
}

async function fails(
  call: Promise<unknown>,
  { code, details }: { readonly code: number; readonly details?: string },
): Promise<void> {
  const failure = await call.then(
    () => undefined,
    (thrown: CallError) => thrown,
  );
  equal(failure?.code, code, `${failure?.message ?? 'no failure'}, and not ${status[code]}`);
  if (details !== undefined) equal(failure?.details, details);
}
