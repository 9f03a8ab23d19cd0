// Parents, and what generated clients alone can do: interceptors, and calls on a channel by hand.
import { EventEmitter } from 'node:events';
import {
  type ChannelInterface,
  InterceptingCall,
  type Interceptor,
  Metadata,
  propagate,
  type ServerUnaryCall,
  type StatusObject,
} from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { EchoReply } from '../../../generated/evenkeel/echo/v1/echo.js';
import { KINDS, type Shown } from './drive.js';
import { Parity, TRANSPORTS } from './parity.js';

const CLIENTS_ONLY = { stub: false } as const;

function endOf(shown: readonly Shown[]): object | undefined {
  return shown.find((event) => event.kind === 'status');
}

/** As much of a server's call as grpc-js wants of a parent. */
class Parent extends EventEmitter {
  readonly cancelled = false;

  constructor(readonly deadline: number) {
    super();
  }

  getDeadline(): number {
    return this.deadline;
  }

  get asCall(): ServerUnaryCall<unknown, unknown> {
    return this as unknown as ServerUnaryCall<unknown, unknown>;
  }
}

describe.each(TRANSPORTS)('over $name,', (over) => {
  const parity = new Parity(over);

  describe.each(KINDS)('%s through a pool, as by a bare client,', (kind) => {
    /** Options that give every call a parent, each of which is cancelled when the server has all the calls. */
    function cancelledParents(callers: number, act: 'hang' | 'read late', flags?: number) {
      const parents: Parent[] = [];
      const before = parity.server.arrivals.length;
      const scenario = {
        act,
        options: () => {
          const parent = new Parent(Number.POSITIVE_INFINITY);
          parents.push(parent);
          return { parent: parent.asCall, ...(flags !== undefined && { propagate_flags: flags }) };
        },
      };
      const cancel = async () => {
        await expect.poll(() => parity.server.arrivals.length).toBe(before + callers);
        for (const parent of parents) parent.emit('cancelled');
      };
      return { scenario, cancel };
    }

    it('is cancelled with its parent', async () => {
      const { scenario, cancel } = cancelledParents(5, 'hang');
      const [shown] = await Promise.all([parity.expectSame(kind, scenario, { journal: 'over' }), cancel()]);
      expect(endOf(shown)).toMatchObject({ status: { code: 1, details: 'Cancelled by parent call' } });
    });

    it('outlives its parent where told to', async () => {
      const flags = propagate.DEFAULTS & ~propagate.CANCELLATION;
      const { scenario, cancel } = cancelledParents(4, 'read late', flags);
      const [shown] = await Promise.all([
        parity.expectSame(kind, scenario, CLIENTS_ONLY),
        cancel().then(() => parity.server.release()),
      ]);
      expect(endOf(shown)).toMatchObject({ status: { code: 0 } });
    });

    it('has the deadline of its parent', async () => {
      const options = () => ({ deadline: Date.now() + 60_000, parent: new Parent(Date.now() + 100).asCall });
      const shown = await parity.expectSame(kind, { act: 'hang', options }, { journal: 'over' });
      expect(endOf(shown)).toMatchObject({ status: { code: 4 } });
      expect(parity.journal[0]).toMatchObject({ deadline: true });
    });

    it('has the deadline of its own where that is earlier', async () => {
      const options = () => ({ deadline: Date.now() + 100, parent: new Parent(Date.now() + 60_000).asCall });
      const shown = await parity.expectSame(kind, { act: 'hang', options }, { journal: 'over' });
      expect(endOf(shown)).toMatchObject({ status: { code: 4 } });
    });

    it('has not the deadline of its parent where told so', async () => {
      const propagate_flags = propagate.DEFAULTS & ~propagate.DEADLINE;
      const options = () => ({ parent: new Parent(Date.now() - 1_000).asCall, propagate_flags });
      const shown = await parity.expectSame(kind, { options }, CLIENTS_ONLY);
      expect(endOf(shown)).toMatchObject({ status: { code: 0 } });
      expect(parity.journal[0]).toMatchObject({ deadline: false });
    });

    it.each(Object.entries(interceptors()))(
      'runs an interceptor that %s',
      async (_, { interceptor, ends }) => {
        const options = () => ({ interceptors: [interceptor] });
        const shown = await parity.expectSame(
          kind,
          { act: 'decorate', options },
          { ...CLIENTS_ONLY, journal: 'over' },
        );
        expect(endOf(shown)).toMatchObject({ status: ends });
      },
    );
  });

  /** One of each sort, with how a call through it ends. */
  function interceptors(): Record<string, { interceptor: Interceptor; ends: Partial<StatusObject> }> {
    return {
      'adds metadata': {
        ends: { code: 0 },
        interceptor: (options, next) =>
          new InterceptingCall(next(options), {
            start(metadata, listener, start) {
              metadata.set('added', 'yes');
              start(metadata, listener);
            },
          }),
      },
      'starts the call later': {
        ends: { code: 0 },
        interceptor: (options, next) =>
          new InterceptingCall(next(options), {
            start(metadata, listener, start) {
              setTimeout(() => start(metadata, listener), 20);
            },
          }),
      },
      'changes what is sent and received': {
        ends: { code: 0, details: 'changed' },
        interceptor: (options, next) =>
          new InterceptingCall(next(options), {
            start(metadata, _listener, start) {
              start(metadata, {
                onReceiveMessage: (message, pass) => pass(message && { ...message, seen: 7 }),
                onReceiveStatus: (status, pass) => pass({ ...status, details: 'changed' }),
              });
            },
            sendMessage: (message, send) => send({ ...message, payload: Buffer.from('changed') }),
          }),
      },
      'gives the call a deadline': {
        ends: { code: 4 },
        interceptor: (options, next) =>
          new InterceptingCall(next({ ...options, deadline: Date.now() - 1_000 })),
      },
      'cancels the call before it is started': {
        ends: { code: 10, details: 'not today' },
        interceptor: (options, next) => {
          const call = new InterceptingCall(next(options));
          call.cancelWithStatus(10, 'not today');
          return call;
        },
      },
      'cancels the call, and starts it later': {
        ends: { code: 10, details: 'not today' },
        interceptor: (options, next) => {
          const call = next(options);
          return new InterceptingCall(call, {
            start(metadata, listener, start) {
              setTimeout(() => {
                start(metadata, listener);
                call.cancelWithStatus(10, 'not today');
              }, 20);
            },
          });
        },
      },
    };
  }

  describe('a channel of a pool, as a bare one,', () => {
    /** A unary call by hand, with all that its listener hears. */
    async function call(
      channel: ChannelInterface,
      prepare: (call: ReturnType<ChannelInterface['createCall']>) => void,
    ) {
      const heard: object[] = [];
      const call = channel.createCall(
        '/evenkeel.echo.v1.Echo/Unary',
        Number.POSITIVE_INFINITY,
        null,
        null,
        null,
      );
      prepare(call);
      await new Promise<void>((resolve) => {
        call.start(new Metadata(), {
          onReceiveMetadata: () => heard.push({ metadata: true }),
          onReceiveMessage: (bytes) => heard.push({ message: EchoReply.decode(bytes) }),
          onReceiveStatus: ({ code, details }) => {
            heard.push({ code, details });
            resolve();
          },
        });
        call.startRead();
        call.sendMessageWithContext({}, Buffer.alloc(0));
        call.halfClose();
      });
      return { heard, peer: call.getPeer() };
    }

    it.each<[string, Parameters<typeof call>[1]]>([
      ['answers', () => {}],
      [
        'ends a call that is cancelled before it is started',
        (call) => call.cancelWithStatus(1, 'changed my mind'),
      ],
    ])('%s', async (_, prepare) => {
      const { heard, peer } = await call(parity.bare.getChannel(), prepare);
      const pooled = await call(parity.pool.channel, prepare);
      expect(pooled.heard).toEqual(heard);
      // What has no server yet has no peer, of which there may be many.
      expect(pooled.peer).toBe(peer.startsWith('dns:') ? 'unknown' : peer);
    });

    it('refuses what is not a method', () => {
      for (const channel of [parity.bare.getChannel(), parity.pool.channel]) {
        expect(() => channel.createCall(7 as never, 0, null, null, null)).toThrow('method must be a string');
        expect(() => channel.createCall('/a/b', 'soon' as never, null, null, null)).toThrow(
          'must be a number or Date',
        );
      }
    });
  });
});
