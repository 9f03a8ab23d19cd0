import { deepEqual, equal } from 'node:assert/strict';
import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import type { CallError, CallOptions, Stub } from '../../../src/index.js';
import {
  StreamingOutputCallRequest,
  type StreamingOutputCallResponse,
  type TestServiceService,
  type UnimplementedServiceService,
} from '../generated/grpc/testing/test.js';
import { Turns } from '../support/turns.js';

export interface Clients {
  readonly test: Stub<typeof TestServiceService>;
  readonly unimplemented: Stub<typeof UnimplementedServiceService>;
}

const REQUEST_SIZES = [27_182, 8, 1_828, 45_904];
const RESPONSE_SIZES = [31_415, 9, 2_653, 58_979];
const SPECIAL_MESSAGE = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';

/** By name, as https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md describes them. */
export const CASES: Readonly<Record<string, (clients: Clients) => Promise<void>>> = {
  async empty_unary({ test }) {
    deepEqual(await test.emptyCall({}), {});
  },

  async large_unary({ test }) {
    const { payload } = await test.unaryCall(simple({ responseSize: 314_159, payload: zeros(271_828) }));
    deepEqual(payload, zeros(314_159));
  },

  async client_streaming({ test }) {
    const requests = REQUEST_SIZES.map((size) => ({ payload: zeros(size), expectCompressed: undefined }));
    equal((await test.streamingInputCall(requests)).aggregatedPayloadSize, 74_922);
  },

  async server_streaming({ test }) {
    deepEqual(await sizes(test.streamingOutputCall(output(RESPONSE_SIZES))), RESPONSE_SIZES);
  },

  async ping_pong({ test }) {
    const received = new Turns();
    async function* requests() {
      for (const [turn, size] of REQUEST_SIZES.entries()) {
        await received.reached(turn);
        yield output([RESPONSE_SIZES[turn]!], size);
      }
      await received.reached(REQUEST_SIZES.length);
    }
    deepEqual(await sizes(test.fullDuplexCall(requests()), () => received.next()), RESPONSE_SIZES);
  },

  async empty_stream({ test }) {
    deepEqual(await sizes(test.fullDuplexCall([])), []);
  },

  async custom_metadata({ test }) {
    const metadata = new Metadata();
    metadata.set('x-grpc-test-echo-initial', 'test_initial_metadata_value');
    metadata.set('x-grpc-test-echo-trailing-bin', Buffer.from([0xab, 0xab, 0xab]));
    const echoed = async (call: (options: CallOptions) => Promise<unknown>) => {
      const heard: { headers?: Metadata; status?: StatusObject } = {};
      await call({
        metadata,
        onMetadata: (headers) => {
          heard.headers = headers;
        },
        onStatus: (status) => {
          heard.status = status;
        },
      });
      deepEqual(heard.headers?.get('x-grpc-test-echo-initial'), ['test_initial_metadata_value']);
      const trailing = heard.status?.metadata.get('x-grpc-test-echo-trailing-bin');
      deepEqual(trailing, [Buffer.from([0xab, 0xab, 0xab])]);
    };
    await echoed((options) =>
      test.unaryCall(simple({ responseSize: 314_159, payload: zeros(271_828) }), options),
    );
    await echoed((options) => sizes(test.fullDuplexCall([output([314_159], 271_828)], options)));
  },

  async status_code_and_message({ test }) {
    const responseStatus = { code: status.UNKNOWN, message: 'test status message' };
    await fails(test.unaryCall(simple({ responseStatus })), status.UNKNOWN, responseStatus.message);
    const streamed = sizes(test.fullDuplexCall([{ ...output([]), responseStatus }]));
    await fails(streamed, status.UNKNOWN, responseStatus.message);
  },

  async special_status_message({ test }) {
    const responseStatus = { code: status.UNKNOWN, message: SPECIAL_MESSAGE };
    await fails(test.unaryCall(simple({ responseStatus })), status.UNKNOWN, SPECIAL_MESSAGE);
  },

  async unimplemented_method({ test }) {
    await fails(test.unimplementedCall({}), status.UNIMPLEMENTED);
  },

  async unimplemented_service({ unimplemented }) {
    await fails(unimplemented.unimplementedCall({}), status.UNIMPLEMENTED);
  },

  async cancel_after_begin({ test }) {
    const abort = new AbortController();
    const call = test.streamingInputCall(never(), { signal: abort.signal });
    abort.abort();
    await fails(call, status.CANCELLED);
  },

  async cancel_after_first_response({ test }) {
    const abort = new AbortController();
    async function* requests() {
      yield output([31_415], 27_182);
      yield* never();
    }
    const streamed = sizes(test.fullDuplexCall(requests(), { signal: abort.signal }), () => abort.abort());
    await fails(streamed, status.CANCELLED);
  },

  async timeout_on_sleeping_server({ test }) {
    async function* requests() {
      yield output([], 27_182);
      yield* never();
    }
    await fails(sizes(test.fullDuplexCall(requests(), { timeoutMs: 1 })), status.DEADLINE_EXCEEDED);
  },
};

function zeros(size: number) {
  return { body: Buffer.alloc(size) };
}

function simple(init: {
  responseSize?: number;
  payload?: { body: Buffer };
  responseStatus?: { code: number; message: string };
}) {
  return {
    responseSize: 0,
    payload: undefined,
    responseCompressed: undefined,
    responseStatus: undefined,
    expectCompressed: undefined,
    ...init,
  };
}

function output(responses: readonly number[], payload = 0): StreamingOutputCallRequest {
  return StreamingOutputCallRequest.create({
    responseParameters: responses.map((size) => ({ size })),
    payload: zeros(payload),
  });
}

/** How long each message was. */
async function sizes(
  responses: AsyncIterable<StreamingOutputCallResponse>,
  heard: () => void = () => {},
): Promise<number[]> {
  const all: number[] = [];
  for await (const { payload } of responses) {
    all.push(payload?.body.length ?? 0);
    heard();
  }
  return all;
}

/** Requests of which none ever comes. */
async function* never(): AsyncGenerator<never> {
  await new Promise(() => {});
}

async function fails(call: Promise<unknown>, code: number, details?: string): Promise<void> {
  const failure = await call.then(
    () => undefined,
    (thrown: CallError) => thrown,
  );
  equal(failure?.code, code, `${failure?.message ?? 'no failure'}, and not ${status[code]}`);
  if (details !== undefined) equal(failure?.details, details);
}
