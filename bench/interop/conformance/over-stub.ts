import { setTimeout as delay } from 'node:timers/promises';
import { CallError, type CallOptions, type Pool } from '../../../src/index.js';
import { ConformanceServiceService } from '../generated/connectrpc/conformance/v1/service.js';
import { Turns } from '../support/turns.js';
import { type Answer, definitionOf, type MakeCall, type Outcome, type Plan } from './plan.js';

type Method<Returned> = (request: unknown, options: CallOptions) => Returned;

/** Makes calls by `pool.stub`. */
export function overStub(pool: Pool): MakeCall {
  const stub = pool.stub(ConformanceServiceService) as Readonly<Record<Plan['method'], unknown>>;
  return async (plan, outcome) => {
    const { requestStream, responseStream } = definitionOf(plan.method);
    const abort = new AbortController();
    const received = new Turns();
    const request = requestStream ? requests(plan, outcome, received, abort) : only(plan, outcome, abort);
    const options: CallOptions = {
      metadata: plan.metadata,
      timeoutMs: plan.timeoutMs,
      signal: abort.signal,
      onMetadata: (metadata) => {
        outcome.headers = metadata;
      },
      onStatus: (status) => {
        outcome.status = status;
      },
    };
    try {
      if (responseStream) {
        const method = stub[plan.method] as Method<AsyncIterable<Answer>>;
        await receive(method(request, options), plan, outcome, received, abort);
      } else {
        outcome.answers.push(await (stub[plan.method] as Method<Promise<Answer>>)(request, options));
      }
    } catch (thrown) {
      if (!(thrown instanceof CallError)) throw thrown;
      outcome.status ??= thrown;
    } finally {
      received.end();
    }
  };
}

async function receive(
  answers: AsyncIterable<Answer>,
  { cancel }: Plan,
  outcome: Outcome,
  received: Turns,
  abort: AbortController,
): Promise<void> {
  const iterator = answers[Symbol.asyncIterator]();
  for (;;) {
    const next = iterator.next();
    if (cancel.kind === 'after-responses' && cancel.count === outcome.answers.length) abort.abort();
    const { done, value } = await next;
    if (done === true) return;
    outcome.answers.push(value);
    received.next();
  }
}

function only({ requests: [request], cancel }: Plan, outcome: Outcome, abort: AbortController): unknown {
  outcome.sent = 1;
  cancelAfterClose(cancel, abort);
  return request;
}

async function* requests(plan: Plan, outcome: Outcome, received: Turns, abort: AbortController) {
  for (const request of plan.requests) {
    if (plan.fullDuplex) await received.reached(outcome.sent);
    await delay(plan.delayMs);
    if (received.ended) return;
    outcome.sent++;
    yield request;
  }
  if (plan.fullDuplex) await received.reached(outcome.sent);
  if (plan.cancel.kind === 'before-close') abort.abort();
  cancelAfterClose(plan.cancel, abort);
}

function cancelAfterClose(cancel: Plan['cancel'], abort: AbortController): void {
  if (cancel.kind === 'after-close') setTimeout(() => abort.abort(), cancel.ms);
}
