import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EchoClient, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { KINDS, request, type Scenario } from './drive.js';
import { type Journal, Parity, TRANSPORTS } from './parity.js';
import { RawServer } from './raw-server.js';

interface Case extends Scenario {
  readonly name: string;
  readonly journal?: Journal;
}

const in100ms = () => ({ deadline: Date.now() + 100 });
/** Long enough for an answer to come first. */
const in500ms = () => ({ deadline: Date.now() + 500 });

const CANCELLED: readonly Case[] = [
  // By a bare client such a call is served all the same, and its headers are shown after its end.
  { name: 'in the turn in which it is made', cancel: 'at once', journal: 'empty' },
  { name: 'when the server has it', act: 'hang', cancel: 'when the server has it' },
  { name: 'at its headers', act: 'send headers and hang', cancel: 'at headers', journal: 'over' },
  {
    name: 'at its headers, which come with the rest',
    act: 'decorate',
    cancel: 'at headers',
    journal: 'over',
  },
];

const PAST: readonly Case[] = [
  { name: 'when it is made', options: () => ({ deadline: Date.now() - 1_000 }) },
  { name: 'before headers', act: 'hang', options: in100ms },
  { name: 'after headers', act: 'send headers and hang', options: in500ms },
  { name: 'after a message', act: 'answer and hang', options: in500ms },
  { name: 'that is a date', act: 'hang', options: () => ({ deadline: new Date(Date.now() + 100) }) },
];

describe.each(TRANSPORTS)('over $name,', (over) => {
  const parity = new Parity(over);

  describe.each(KINDS)('%s through a pool, as by a bare client, cancelled', (kind) => {
    it.each(CANCELLED)('$name', async ({ name: _, journal = 'same', ...scenario }) => {
      const shown = await parity.expectSame(kind, scenario, { journal });
      expect(shown.find((event) => event.kind === 'status')).toMatchObject({ status: { code: 1 } });
    });
  });

  describe.each(['serverStream', 'bidi'] as const)(
    '%s through a pool, as by a bare client, cancelled',
    (kind) => {
      it('at its first message', async () => {
        const shown = await parity.expectSame(
          kind,
          { act: 'answer and hang', cancel: 'at a message' },
          { journal: 'over' },
        );
        expect(shown.filter((event) => event.kind === 'message')).toHaveLength(1);
        expect(shown.find((event) => event.kind === 'status')).toMatchObject({ status: { code: 1 } });
      });
    },
  );

  describe.each(KINDS)('%s through a pool, as by a bare client, past its deadline', (kind) => {
    it.each(PAST)('$name', async ({ name: _, ...scenario }) => {
      const shown = await parity.expectSame(kind, scenario, { journal: 'over' });
      expect(shown.find((event) => event.kind === 'status')).toMatchObject({ status: { code: 4 } });
    });
  });

  describe.each(['clientStream', 'bidi'] as const)('%s through a pool, as by a bare client,', (kind) => {
    it.each<Case>([
      {
        name: 'cancelled while there is more to be sent',
        act: 'hang',
        keepOpen: true,
        cancel: 'when the server has it',
      },
      {
        name: 'past its deadline while there is more to be sent',
        act: 'hang',
        keepOpen: true,
        options: in100ms,
      },
    ])('$name', async ({ name: _, ...scenario }) => {
      await parity.expectSame(kind, scenario, { journal: 'over' });
    });
  });

  describe('a call that is past its deadline', () => {
    it('ends in the words of grpc-js, but for how long anything took', async () => {
      const silent = await RawServer.start(() => {});
      const bare = new EchoClient(silent.address, credentials.createInsecure());
      const pool = new Pool({ registry: staticRegistry([silent.address]), service: 'echo' });
      onTestFinished(async () => {
        bare.close();
        await pool.close();
        await silent.close();
      });
      await pool.ready();
      await new Promise((resolve) => bare.waitForReady(Date.now() + 5_000, resolve));
      const details = (client: EchoClient) =>
        new Promise<string>((resolve) => {
          client.unary(request('a'), new Metadata(), in100ms(), (error) =>
            resolve(withoutTimes(error!.details)),
          );
        });
      const expected = await details(bare);
      expect(expected).toBe(`Deadline exceeded after <time>,remote_addr=${silent.address}`);
      expect(await details(pool.client(EchoClient))).toBe(expected);
      const told = await pool
        .stub(EchoService)
        .unary(request('a'), in100ms())
        .catch((error: ServiceError) => error.details);
      expect(withoutTimes(`${told}`)).toBe(expected);
    });
  });

  /** Times, and those of them that are told only when they were a whole millisecond. */
  function withoutTimes(details: string): string {
    const steps = /,(name resolution|metadata filters|time to current attempt start|LB pick): [\d.]+s/g;
    return details.replace(steps, '').replace(/[\d.]+s/, '<time>');
  }
});
