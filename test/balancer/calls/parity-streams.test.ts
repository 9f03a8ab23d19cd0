// The order in which both sides of a stream speak, and that a slow reader slows its writer.
import { once } from 'node:events';
import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import type { EchoClient, EchoReply } from '../../../generated/evenkeel/echo/v1/echo.js';
import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { request } from './drive.js';
import { Parity, ping, TRANSPORTS } from './parity.js';
import { ACT, type Act, RUN } from './scenario-server.js';

/** Together under the 4 MiB that a reply may have. */
const MESSAGES = 12;
/** So large that a few of them fill the windows of HTTP/2. */
const PAYLOAD = Buffer.alloc(256 * 1024);

function headers(run: string, act: Act = 'echo'): Metadata {
  const metadata = new Metadata();
  metadata.set(ACT, act);
  metadata.set(RUN, run);
  return metadata;
}

async function clients(parity: Parity): Promise<[string, EchoClient][]> {
  return Object.entries({ bare: parity.bare, ...(await parity.clients()) });
}

/** Waits until a count has not changed for as long as several calls take. */
async function settled(parity: Parity, count: () => number): Promise<number> {
  for (let last = -1; last !== count(); ) {
    last = count();
    for (let i = 0; i < 10; i++) await ping(parity.pool.channel);
  }
  return count();
}

describe.each(TRANSPORTS)('over $name,', (over) => {
  const parity = new Parity(over);

  describe('a bidi call whose sides wait for each other', () => {
    const LETTERS = ['a', 'b', 'c'];
    const EXPECTED = [
      'send a',
      'got a',
      'send b',
      'got b',
      'send c',
      'got c',
      'half-close',
      'end',
      'status 0',
    ];

    it('is spoken in turns by generated clients', async () => {
      for (const [name, client] of await clients(parity)) {
        const spoken: string[] = [];
        const call = client.bidi(headers(`turns/${name}`));
        call.on('end', () => spoken.push('end'));
        call.on('status', ({ code }) => spoken.push(`status ${code}`));
        for (const letter of LETTERS) {
          spoken.push(`send ${letter}`);
          call.write(request(letter));
          const [reply] = (await once(call, 'data')) as [EchoReply];
          spoken.push(`got ${reply.payload}`);
        }
        spoken.push('half-close');
        call.end();
        await Promise.all([once(call, 'status'), once(call, 'end')]);
        expect(spoken.slice(0, 7), name).toEqual(EXPECTED.slice(0, 7));
        expect(spoken.slice(7).sort(), name).toEqual(EXPECTED.slice(7));
      }
    });

    it('is spoken in turns by the stub', async () => {
      const spoken: string[] = [];
      let heard = () => {};
      const requests = async function* () {
        for (const letter of LETTERS) {
          const answered = new Promise<void>((resolve) => {
            heard = resolve;
          });
          spoken.push(`send ${letter}`);
          yield request(letter);
          await answered;
        }
        spoken.push('half-close');
      };
      const onStatus = ({ code }: { code: number }) => spoken.push('end', `status ${code}`);
      const replies = parity.pool
        .stub(EchoService)
        .bidi(requests(), { metadata: headers('turns/stub'), onStatus });
      for await (const { payload } of replies) {
        spoken.push(`got ${payload}`);
        heard();
      }
      expect(spoken).toEqual(EXPECTED);
    });
  });

  describe.each(['clientStream', 'bidi'] as const)('a %s call to a server that reads late', (kind) => {
    it('stops whoever writes, after as much as by a bare client, and goes on when it is read', async () => {
      const stoppedAt: Record<string, number> = {};
      const expectToStop = async (name: string, written: () => number, ended: Promise<unknown>) => {
        stoppedAt[name] = await settled(parity, written);
        parity.server.release();
        await ended;
        expect(written(), name).toBe(MESSAGES);
      };

      for (const [name, client] of await clients(parity)) {
        let written = 0;
        const metadata = headers(`${kind}/late/${name}`, 'read late');
        const call = kind === 'bidi' ? client.bidi(metadata) : client.clientStream(metadata, () => {});
        if (kind === 'bidi') call.on('data', () => {});
        const ended = once(call, 'status').then(([{ code }]) => expect(code).toBe(0));
        for (let i = 0; i < MESSAGES; i++) call.write(request(PAYLOAD), () => written++);
        call.end();
        await expectToStop(name, () => written, ended);
      }

      const stub = parity.pool.stub(EchoService);
      const options = { metadata: headers(`${kind}/late/stub`, 'read late') };
      let written = 0;
      const requests = function* () {
        for (; written < MESSAGES; written++) yield request(PAYLOAD);
      };
      const replies = async () => {
        for await (const _ of stub.bidi(requests(), options));
      };
      const call = kind === 'bidi' ? replies() : stub.clientStream(requests(), options);
      await expectToStop('pool.stub', () => written, call);

      expect(stoppedAt.bare).toBeLessThan(MESSAGES / 2);
      // Ours calls a message written when all of it is on its way; node:http2 has some waiting that it calls written.
      const { bare, ...ours } = stoppedAt;
      if (over.name === 'http2') expect(ours['pool.stub']).toBeLessThanOrEqual(bare!);
      else expect(ours['pool.stub']).toBe(bare);
      expect(new Set(Object.values(ours)), JSON.stringify(stoppedAt)).toHaveLength(1);
    });
  });
});
