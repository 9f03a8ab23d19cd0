// Measures one picker, in a process of its own: what another one does to the engine's inline caches is not its doing.
// Sends one PickCost for each size to the process that forked it.

import { type PickerName, pickerFactory } from '../../src/balancer/pickers/index.js';
import type { Candidate, PickContext, Picker } from '../../src/balancer/pickers/picker.js';
import { Row } from '../../src/balancer/table/row.js';
import { Status } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { nsOfCpu } from '../support/cpu-time.js';
import { median } from '../support/statistics.js';
import { PICK_SIZES, type PickCost } from './sizes.js';

const ROUNDS = 62;
/** Of the rounds, those count in which the loops alone were fastest: others use the machine too, and slow down all of it. */
const QUIET_ROUNDS = 31;
const WARM_UP_ROUNDS = 5;
const TURNS = 200_000;
/** Every turn moves time on by this much: 100,000 calls a second. */
const TURN_MS = 0.01;

const random = seededRandom(1);
/** Far more than there are candidates, as users are: of a few, each would be a hot one. */
const keys = Array.from({ length: 1 << 16 }, (_, i) => `user-${i}`);
const outcomes = Array.from({ length: 16 }, () => ({ code: Status.OK, latencyMs: 5 + random(20) }));

/** A candidate set with 4n calls in flight, and the order in which they finish. */
interface Fixture {
  readonly n: number;
  readonly picker: Picker;
  readonly ready: readonly Row[];
  readonly inFlight: Row[];
  readonly finishing: Int32Array;
}

function fixture(name: PickerName, n: number): Fixture {
  const picker = pickerFactory(name)({ random: seededRandom(2) });
  const ready = Array.from({ length: n }, (_, slot) => {
    const address = `10.${slot >> 16}.${(slot >> 8) & 255}.${slot & 255}:50051`;
    const weight = 1 + random(5);
    return new Row({ id: address, address, weight, metadata: {} }, slot, Number.POSITIVE_INFINITY);
  });
  for (const row of ready) picker.added?.(row);
  const inFlight = Array.from({ length: 4 * n }, (_, i) => {
    const row = picker.pick(ready, { now: 0, key: keys[i & 0xffff] }) as Row;
    row.pending++;
    picker.started?.(row, 0);
    return row;
  });
  const finishing = Int32Array.from({ length: 1 << 16 }, () => random(4 * n));
  return { n, picker, ready, inFlight, finishing };
}

/** The key of a call was made a moment ago: it comes from the cache, not from memory. */
function warm(key: string): string {
  return key.charCodeAt(0) === 0 ? '' : key;
}

function pickLoop({ picker, ready, inFlight, finishing }: Fixture, start: number): void {
  const call: { -readonly [K in keyof PickContext]: PickContext[K] } = { now: start, key: '' };
  for (let i = 0; i < TURNS; i++) {
    call.now += TURN_MS;
    call.key = warm(keys[i & 0xffff]!);
    const at = finishing[i & 0xffff]!;
    const finished = inFlight[at]!;
    finished.pending--;
    picker.finished?.(finished, call.now, outcomes[i & 15]!);
    const picked = picker.pick(ready as readonly Candidate[], call) as Row;
    picked.pending++;
    picker.started?.(picked, call.now);
    inFlight[at] = picked;
  }
}

function emptyLoop({ inFlight, finishing }: Fixture, start: number): void {
  const call: { -readonly [K in keyof PickContext]: PickContext[K] } = { now: start, key: '' };
  for (let i = 0; i < TURNS; i++) {
    call.now += TURN_MS;
    call.key = warm(keys[i & 0xffff]!);
    const at = finishing[i & 0xffff]!;
    const row = inFlight[at]!;
    row.pending--;
    row.pending++;
    inFlight[at] = row;
  }
}

const name = process.argv[2] as PickerName;
const fixtures = PICK_SIZES.map((n) => fixture(name, n));
const rounds: { readonly gross: number; readonly empty: number }[][] = [];
for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
  const start = round * TURNS * TURN_MS;
  const measured = fixtures.map((of) => ({
    gross: nsOfCpu(() => pickLoop(of, start)) / TURNS,
    empty: nsOfCpu(() => emptyLoop(of, start)) / TURNS,
  }));
  if (round >= WARM_UP_ROUNDS) rounds.push(measured);
}
const alone = (round: (typeof rounds)[number]) => round.reduce((sum, { empty }) => sum + empty, 0);
rounds.sort((a, b) => alone(a) - alone(b));
const quiet = rounds.slice(0, QUIET_ROUNDS);
const measured: PickCost[] = fixtures.map(({ n }, i) => ({
  n,
  gross: median(quiet.map((round) => round[i]!.gross)),
  empty: median(quiet.map((round) => round[i]!.empty)),
  net: median(quiet.map((round) => round[i]!.gross - round[i]!.empty)),
}));
process.send?.(measured);
