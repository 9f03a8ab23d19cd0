// Interrupts every program of this project at many moments: `npm run interrupt [-- --json] [--only NAME...]`.
import { existsSync } from 'node:fs';
import { startEtcd } from '../../test/support/etcd.js';
import { type Part, type Run, runProgram } from '../support/program.js';
import { type Kind, kinds } from './programs.js';
import { interrupt } from './trial.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** A program that was interrupted, and all that it started, must be gone after this, in milliseconds. */
const GONE_MS = 5_000;

async function interruptAll(run: Run, kind: Kind): Promise<void> {
  if (!existsSync('/proc/self/environ')) throw new Error('it looks into /proc, which only Linux has');
  await using etcd = await startEtcd({ signal: run.signal });
  const rows: (string | number)[][] = [];
  let [slowestMs, left, wrong, trials] = [0, 0, 0, 0];
  for (const plan of kind.plans(etcd.url)) {
    let slowest = 0;
    let interrupted = 0;
    for (const moment of plan.moments) {
      const signal = SIGNALS[trials++ % SIGNALS.length]!;
      const when = `${moment.afterMs} ms after ${moment.said === undefined ? 'its start' : `"${moment.said}"`}`;
      run.progress(`${plan.name}: ${signal} ${when}`);
      const outcome = await interrupt(plan, signal, moment, run.signal);
      if (outcome.tooLate) {
        run.say(`${plan.name}: had ended with ${outcome.ended} before ${when}`);
        continue;
      }
      interrupted++;
      slowest = Math.max(slowest, outcome.goneAfterMs);
      left += outcome.left.length;
      if (!outcome.asItShould) wrong++;
      const amiss = !outcome.asItShould || outcome.left.length > 0 || outcome.goneAfterMs > GONE_MS;
      if (amiss) {
        run.say(
          `${plan.name}: ${signal} ${when}: ended with ${outcome.ended}, gone after ${Math.round(outcome.goneAfterMs)} ms; left: ${outcome.left.join(' | ') || 'nothing'}`,
        );
        run.say(`  it said last: ${outcome.said.trim().split('\n').slice(-4).join(' / ')}`);
      }
    }
    slowestMs = Math.max(slowestMs, slowest);
    rows.push([plan.name, interrupted, slowest]);
  }
  run.table(['program', 'interrupted, times', 'gone after ms, at most'], rows);
  run.record(kind.name, { trials, rows });
  run.atMost(`${kind.name}/gone-after-ms`, slowestMs, GONE_MS, 'ms');
  run.atMost(`${kind.name}/left-behind`, left, 0, 'processes and files');
  run.atMost(`${kind.name}/other-exit-codes`, wrong, 0, 'times');
}

await runProgram({
  name: 'interrupt',
  description: 'Interrupts every program of this project at many moments, and looks what is left of it.',
  parts: kinds.map(
    (kind): Part => ({
      name: kind.name,
      targets: ['gone-after-ms', 'left-behind', 'other-exit-codes'].map((name) => `${kind.name}/${name}`),
      run: (run) => interruptAll(run, kind),
    }),
  ),
});
