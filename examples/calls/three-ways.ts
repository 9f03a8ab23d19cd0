import type { Metadata, requestCallback } from '@grpc/grpc-js';
import type { Pool } from 'evenkeel';
import { createClient } from 'nice-grpc';
import { type EchoRequest, EchoService } from '../../generated/evenkeel/echo/v1/echo.js';
import { GreeterClient, GreeterService, type HelloReply } from '../../generated/helloworld.js';

export async function byStub(
  pool: Pool,
  request: EchoRequest,
  signal: AbortSignal,
  metadata: Metadata,
): Promise<HelloReply> {
  const echo = pool.stub(EchoService);
  // #region stub
  const greeter = pool.stub(GreeterService);
  const reply = await greeter.sayHello({ name: 'world' }, { timeoutMs: 500, signal, metadata });
  for await (const message of echo.serverStream(request)) console.log(message);
  // #endregion
  return reply;
}

export function byClient(pool: Pool): void {
  // #region client
  const greeter = pool.client(GreeterClient);
  greeter.sayHello({ name: 'world' }, (error, reply) => console.log(error ?? reply));

  const other = createClient(GreeterService, pool.channel); // nice-grpc
  // #endregion
  void other;
}

export async function byHand(pool: Pool, callback: requestCallback<HelloReply>): Promise<void> {
  // #region pick
  const pick = await pool.pick();
  console.log(`calling ${pick.endpoint.address}`);
  pick.as(GreeterClient).sayHello({ name: 'world' }, callback); // its end finishes the pick
  // #endregion
}
