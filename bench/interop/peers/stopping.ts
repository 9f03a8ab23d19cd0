import { setTimeout as delay } from 'node:timers/promises';
import { type EchoStub, request } from './checks.js';

const CALLERS = 8;
const CALL_MS = 40;
const RUN_MS = 1_500;
const STOP_AFTER_MS = 500;

/**
 * Calls go on, and one of two servers is told to stop gracefully: it says GOAWAY, the calls that it has go on to their ends,
 * and the rest goes to the other. No call fails.
 */
export async function stopWhileCallsRun(echo: EchoStub, stop: () => void): Promise<void> {
  const until = performance.now() + RUN_MS;
  const caller = async () => {
    while (performance.now() < until) await echo.unary(request({ delayMs: CALL_MS }));
  };
  const stopping = delay(STOP_AFTER_MS).then(stop);
  await Promise.all([stopping, ...Array.from({ length: CALLERS }, caller)]);
}
