/** The CPU time that this process takes for it, all its threads together: what others do on the machine does not count. */
export function nsOfCpu(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1_000;
}
