import { type MeterFactory, powerOfTwo } from 'evenkeel';

/** Costs what the last call took, times the calls that would be pending. */
export const lastLatency: MeterFactory = () => {
  const lastMs: number[] = []; // by slot
  return {
    name: 'last-latency',
    cost: ({ slot, pending }) => lastMs[slot]! * (pending + 1),
    added({ slot }) {
      lastMs[slot] = 0;
    },
    finished({ slot }, _now, { latencyMs }) {
      if (latencyMs !== undefined) lastMs[slot] = latencyMs;
    },
  };
};

export const picker = powerOfTwo({ meter: lastLatency });
