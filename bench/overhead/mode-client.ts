// One way to make calls, in a process of its own: makes as many as it is told to, and says what they took.
import { burst, type Order } from './measure.js';
import { type Mode, openMode } from './modes.js';

const [mode, addresses] = process.argv.slice(2) as [Mode, string];
const call = await openMode(mode, JSON.parse(addresses) as string[]);
process.on('message', async ({ calls, concurrency }: Order) => {
  process.send?.(await burst(call, calls, concurrency));
});
process.once('disconnect', () => process.exit());
process.send?.('open');
