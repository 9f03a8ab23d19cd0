import { ensureEtcd } from './ensure-etcd.js';

/** Runs once before all tests, which need a real etcd. */
export async function setup(): Promise<void> {
  try {
    await ensureEtcd((line) => console.error(line));
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
}
