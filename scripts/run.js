// Compiles the project, then runs one of its programs in this process: `node scripts/run.js bench/soak/main.js --json`.
// A shell that is told to end while it waits for the compiler would leave it behind.
//
// npm hands a signal on to what it has started, but for a moment after it has: told to end then, it is gone, and nobody
// else has heard of it. So its scripts say by whom they were started, `node scripts/run.js $PPID PROGRAM`, and when that
// one has gone it is as if it had handed on SIGTERM.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const LOOK_EVERY_MS = 250;

const root = fileURLToPath(new URL('..', import.meta.url));
const given = process.argv.slice(2);
const parent = /^\d+$/.test(given[0] ?? '') ? Number(given.shift()) : process.ppid;
const [program, ...args] = given;

// In a process group of its own: TypeScript's command runs its compiler in another process still.
const tsc = resolve(root, 'node_modules/typescript/bin/tsc');
const compiler = spawn(process.execPath, [tsc, '-b', root], { stdio: 'inherit', detached: true });
const interrupt = (signal) => {
  try {
    process.kill(-compiler.pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
  process.exit(128 + constants.signals[signal]);
};
for (const signal of SIGNALS) process.on(signal, interrupt);
const looking = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(looking);
  process.kill(process.pid, 'SIGTERM');
}, LOOK_EVERY_MS).unref();
const [code] = await once(compiler, 'exit');
for (const signal of SIGNALS) process.off(signal, interrupt);

if (code === 0) {
  const path = resolve(root, 'dist', program);
  process.argv = [process.argv[0], path, ...args];
  await import(pathToFileURL(path).href);
} else {
  process.exitCode = 2;
}
