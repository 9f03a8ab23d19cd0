import type { ChildProcess } from 'node:child_process';

const living = new Set<ChildProcess>();

function killAll(): void {
  for (const child of living) child.kill('SIGKILL');
}

/**
 * Sees to it that a child process does not outlive this one, however this one ends but by SIGKILL: also one that stands
 * still, is busy, or has not come far enough to notice that its parent has gone.
 *
 * @param signal - kills it when it aborts.
 */
export function endWithUs<C extends ChildProcess>(child: C, signal?: AbortSignal): C {
  if (living.size === 0) process.on('exit', killAll);
  living.add(child);
  const kill = () => child.kill('SIGKILL');
  if (signal?.aborted) kill();
  signal?.addEventListener('abort', kill, { once: true });
  const ended = () => {
    signal?.removeEventListener('abort', kill);
    if (living.delete(child) && living.size === 0) process.off('exit', killAll);
  };
  child.once('exit', ended);
  // One that could not be started never exits.
  child.once('error', () => {
    if (child.pid === undefined) ended();
  });
  return child;
}
