import { type Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';

/** Far more than an innocent call takes, in milliseconds. */
const LIMIT_MS = 10_000;

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly body?: string;
}

/** Calls as they should be, of every kind; each throws when its answer is not what it should be. */
export function innocentCalls(
  port: number,
  agent: Agent,
  signal: AbortSignal,
): readonly (() => Promise<void>)[] {
  let calls = 0;
  const answered = async (asked: Asked, expected: string) => {
    const { status, answer } = await ask(port, agent, asked, signal);
    if (status === 200 && answer === expected) return;
    throw new Error(`${asked.method ?? 'GET'} ${asked.path}: ${status} ${answer.slice(0, 200)}`);
  };
  return [
    () => answered({ path: `/v1/mirror/call-${++calls}` }, `{"text":"call-${calls}"}`),
    () => {
      const body = `{"text":"call-${++calls}","counts":{"constructor":1}}`;
      return answered({ method: 'POST', path: '/v1/mirror', body }, body);
    },
    () => {
      const lines = `{"title":"call-${++calls}"}\n`.repeat(3);
      return answered({ method: 'POST', path: '/v1/chat', body: lines }, lines);
    },
    () => answered({ path: '/v1/own/x?constructor.name=y' }, '{"constructor":{"keys":"x","name":"y"}}'),
  ];
}

async function ask(
  port: number,
  agent: Agent,
  { method = 'GET', path, body = '' }: Asked,
  signal: AbortSignal,
): Promise<{ readonly status: number | undefined; readonly answer: string }> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  const headers = { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, agent, method, path, headers, signal: limit }, (response) => {
      text(response).then((answer) => resolve({ status: response.statusCode, answer }), reject);
    })
      .on('error', reject)
      .end(body);
  });
}
