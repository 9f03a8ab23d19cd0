import { setTimeout as delay } from 'node:timers/promises';
import type {
  ClientDuplexStream,
  ClientReadableStream,
  ClientUnaryCall,
  ClientWritableStream,
  Metadata,
  ServiceError,
} from '@grpc/grpc-js';
import type { ConformanceServiceClient } from '../generated/connectrpc/conformance/v1/service.js';
import { Turns } from '../support/turns.js';
import { type Answer, definitionOf, type MakeCall, type Outcome, type Plan } from './plan.js';

type Callback = (error: ServiceError | null, answer?: Answer) => void;
type Call =
  | ClientUnaryCall
  | ClientWritableStream<unknown>
  | ClientReadableStream<Answer>
  | ClientDuplexStream<unknown, Answer>;

/** Makes calls by a generated client. */
export function overClient(client: ConformanceServiceClient): MakeCall {
  return async (plan, outcome) => {
    const { requestStream, responseStream } = definitionOf(plan.method);
    const { metadata, requests, timeoutMs, cancel } = plan;
    const options = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
    // What the callback says counts: a status of OK without a message is none.
    let failure: Outcome['status'];
    const answered: Callback = (error, answer) => {
      if (error !== null) failure = error;
      else if (answer !== undefined) outcome.answers.push(answer);
    };
    const args = [metadata, options, ...(responseStream ? [] : [answered])];
    const method = client[plan.method].bind(client) as unknown as (...args: unknown[]) => Call;
    const call = requestStream ? method(...args) : method(requests[0], ...args);
    const received = new Turns();
    const ended = ends(call, responseStream === true, outcome, received);
    if ('read' in call) {
      call.on('data', (answer: Answer) => {
        outcome.answers.push(answer);
        received.next();
        if (cancel.kind === 'after-responses' && cancel.count === outcome.answers.length) call.cancel();
      });
    }
    if (cancel.kind === 'after-responses' && cancel.count === 0) call.cancel();
    if (requestStream) await send(call as ClientWritableStream<unknown>, plan, outcome, received, ended);
    else outcome.sent = 1;
    if (cancel.kind === 'after-close') setTimeout(() => call.cancel(), cancel.ms);
    await ended;
    outcome.status = failure ?? outcome.status;
  };
}

/** Resolves when there is a status, and all messages before it have been heard. */
async function ends(call: Call, readable: boolean, outcome: Outcome, received: Turns): Promise<void> {
  const heard = (event: string) =>
    new Promise<void>((resolve) => {
      (call as ClientReadableStream<Answer>).on(event, () => resolve());
    });
  call.on('metadata', (metadata: Metadata) => {
    outcome.headers = metadata;
  });
  call.on('status', (status: NonNullable<Outcome['status']>) => {
    outcome.status = status;
  });
  const failed = heard('error');
  const status = heard('status');
  if (readable) await Promise.race([heard('end'), failed]);
  await status;
  received.end();
}

async function send(
  call: ClientWritableStream<unknown>,
  plan: Plan,
  outcome: Outcome,
  received: Turns,
  ended: Promise<void>,
): Promise<void> {
  for (const request of plan.requests) {
    await delay(plan.delayMs);
    if (received.ended) return;
    const written = new Promise<unknown>((resolve) => call.write(request, resolve));
    const failure = await Promise.race([written, ended.then(() => 'ended')]);
    if (failure != null) return;
    outcome.sent++;
    if (plan.fullDuplex) await received.reached(outcome.sent);
  }
  if (plan.cancel.kind === 'before-close') call.cancel();
  call.end();
}
