import { describe, expect, it } from 'vitest';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { driveClient, driveStub, KINDS, type Kind, request, type Scenario } from './drive.js';
import { Parity, TRANSPORTS } from './parity.js';
import { DETAILS, HUGE } from './scenario-server.js';

interface Case extends Scenario {
  readonly name: string;
  /** How the call ends, where that is the same for all kinds: the scenario does what its name says. */
  readonly ends?: { readonly code: number; readonly details?: string | RegExp };
}

const FAILED = { code: 9, details: DETAILS };
const TOO_LARGE = { code: 8, details: /larger than max/ };

const CASES: readonly Case[] = [
  { name: 'success', ends: { code: 0 } },
  { name: 'success with headers and trailers', act: 'decorate', ends: { code: 0 } },
  { name: 'an empty message', requests: [request('')], ends: { code: 0 } },
  { name: 'a request of 3 MiB', requests: [request(Buffer.alloc(3 << 20), { count: 1 })], ends: { code: 0 } },
  { name: 'a request too large for the server', requests: [request(Buffer.alloc(HUGE))], ends: TOO_LARGE },
  { name: 'a response too large for the client', act: 'answer hugely', ends: TOO_LARGE },
  { name: 'an error without headers', act: 'fail at once', ends: FAILED },
  { name: 'an error after headers', act: 'fail after headers', ends: FAILED },
  { name: 'a code that no table knows', act: 'fail oddly', ends: { code: 99, details: '' } },
  { name: 'no message at all', act: 'say nothing' },
  {
    name: 'a response that cannot be decoded',
    act: 'answer garbage',
    ends: { code: 13, details: /^Response message parsing error: / },
  },
];

/** A unary call of grpc-js does not read on after its message, and so never learns of the second: it hangs. */
const NOT_UNARY: readonly Case[] = [
  { name: 'an error after messages', act: 'fail after messages' },
  { name: 'one message more than asked for', act: 'answer twice' },
];

const OF_REQUEST_STREAMS: readonly Case[] = [
  { name: 'no request at all', requests: [], ends: { code: 0 } },
  {
    name: 'an error while there is more to be sent',
    act: 'fail at the first message',
    keepOpen: true,
    ends: FAILED,
  },
];

async function expectSame(parity: Parity, kind: Kind, { name: _, ends, ...scenario }: Case) {
  const shown = await parity.expectSame(kind, scenario);
  if (ends === undefined) return;
  const last =
    shown.find((event) => event.kind === 'error') ?? shown.find((event) => event.kind === 'status');
  const { code, details = expect.any(String) } = ends;
  expect(last).toMatchObject({
    status: { code, details: details instanceof RegExp ? expect.stringMatching(details) : details },
  });
}

describe.each(TRANSPORTS)('over $name,', (over) => {
  const parity = new Parity(over);

  describe.each(KINDS)('%s through a pool, as by a bare client:', (kind) => {
    it.each(CASES)('$name', (scenario) => expectSame(parity, kind, scenario));

    // grpc-js forgets that it has cancelled such a call, and opens a stream for it; through a pool that ends.
    it('a request that cannot be encoded', async () => {
      const unencodable = { requests: [request('a', { payload: 7 as never })] };
      const shown = await parity.expectSame(kind, unencodable, { journal: 'over' });
      expect(shown.find((event) => event.kind === 'error')).toMatchObject({
        status: { code: 13, details: expect.stringMatching(/^Request message serialization failure: /) },
      });
    });
  });

  describe.each(['clientStream', 'serverStream', 'bidi'] as const)(
    '%s through a pool, as by a bare client:',
    (kind) => {
      it.each(NOT_UNARY)('$name', (scenario) => expectSame(parity, kind, scenario));
    },
  );

  describe('a unary call that a server answers with two messages', () => {
    const tooMany = { code: 12, details: 'Too many responses received' };
    const asked = { requests: [request('a')], act: 'answer twice' } as const;

    it('fails by a stub', async () => {
      const told = await driveStub(parity.pool.stub(EchoService), 'unary', asked, {
        server: parity.server,
        name: 's',
      });
      expect(told.end).toMatchObject(tooMany);
    });

    it.each([
      ['pool.client', async () => parity.pool.client(EchoClient)],
      ['pick.as', async () => (await parity.pool.pick()).as(EchoClient)],
    ])('fails by %s', async (name, make) => {
      const client = await make();
      const shown = await driveClient(client, 'unary', asked, { server: parity.server, name });
      expect(shown.find(({ kind }) => kind === 'error')).toMatchObject({ status: tooMany });
    });
  });

  describe.each(['clientStream', 'bidi'] as const)('%s through a pool, as by a bare client:', (kind) => {
    it.each(OF_REQUEST_STREAMS)('$name', (scenario) => expectSame(parity, kind, scenario));
  });
});
