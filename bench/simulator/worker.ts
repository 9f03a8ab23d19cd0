// One job, in a process of its own: what another run does to the heap and the engine's inline caches is not its doing.
// Sends a Done to the process that forked it.
import { pickerFactory } from '../../src/balancer/pickers/index.js';
import { powerOfTwo } from '../../src/balancer/pickers/power-of-two.js';
import { planOf } from '../../src/simulator/scenario/plan.js';
import { Simulation } from '../../src/simulator/simulation.js';
import type { Done, Job } from './jobs.js';

const MIB = 2 ** 20;

const { scenario, picker, choices, seed } = JSON.parse(process.argv[2] ?? '') as Job;
const factory = choices === undefined ? pickerFactory(picker) : powerOfTwo({ choices });
const noFiles = (file: string): Float64Array => {
  throw new Error(`a job has no file ${file}`);
};

const began = performance.now();
const cpuBefore = process.cpuUsage();
const simulation = new Simulation(planOf(scenario, noFiles), factory, seed);
const result = simulation.run();
const wallMs = performance.now() - began;
const { user, system } = process.cpuUsage(cpuBefore);
const maxRssMiB = process.resourceUsage().maxRSS / 1024;
globalThis.gc?.();
const heapMiB = process.memoryUsage().heapUsed / MIB;
const done: Done = { result, wallMs, cpuMs: (user + system) / 1_000, maxRssMiB, heapMiB };
// Until here the simulation is held.
process.send?.(done, () => process.exit(simulation.clients.length > 0 ? 0 : 1));
