import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { pickerFactory } from '../../../src/balancer/pickers/index.js';
import { BalancerError } from '../../../src/base/errors.js';
import {
  checkScenario,
  readPlan,
  readScenario,
  schemaPath,
} from '../../../src/simulator/scenario/read-scenario.js';
import { METRICS, type Scenario } from '../../../src/simulator/scenario/scenario.js';
import { readTrace } from '../../../src/simulator/scenario/trace-file.js';
import { Simulation } from '../../../src/simulator/simulation.js';
import { scenario } from '../scenarios.js';

const GALLERY = new URL('../../../bench/scenarios/', import.meta.url).pathname;
const directory = mkdtempSync(join(tmpdir(), 'evenkeel-scenarios-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** What is said of a scenario that is a sound one but for this. */
function saidOf(change: (scenario: Record<string, never> & Scenario) => void): string {
  const broken = structuredClone(scenario()) as Record<string, never> & Scenario;
  change(broken);
  try {
    readPlan(checkScenario(broken, 'my.json'), join(directory, 'my.json'));
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(BalancerError);
    expect((thrown as BalancerError).code).toBe('INVALID_OPTION');
    return (thrown as BalancerError).message;
  }
  return 'nothing is wrong with it';
}

describe('what is wrong with a scenario is said with the field and the cure', () => {
  // biome-ignore lint/suspicious/noExplicitAny: what these make is wrong on purpose.
  it.each<[string, (scenario: any) => void, string | RegExp]>([
    [
      'a field of no such name',
      (s) => Object.assign(s.servers[0], { concurency: 1 }),
      /^my.json: servers\/0 has "concurency", which is none of its fields: name, count, service, concurrency,/,
    ],
    [
      'a field that is missing',
      (s) => delete s.durationMs,
      'my.json: durationMs is missing: how long calls arrive. Each is followed to its end',
    ],
    [
      'a wrong type',
      (s) => Object.assign(s, { clients: '3' }),
      'my.json: clients is "3", and must be an integer',
    ],
    [
      'a number that is too small',
      (s) => Object.assign(s, { durationMs: 0 }),
      'my.json: durationMs is 0, and must be more than 0',
    ],
    [
      'an unknown kind',
      (s) => Object.assign(s.arrivals, { kind: 'posson' }),
      'my.json: arrivals/kind is "posson", and must be one of poisson, uniform, bursts, trace',
    ],
    [
      'no kind',
      (s) => Object.assign(s, { arrivals: { perSecond: 1 } }),
      'my.json: arrivals/kind is missing, and must be one of poisson, uniform, bursts, trace',
    ],
    [
      'no rate',
      (s) => Object.assign(s, { arrivals: { kind: 'poisson' } }),
      'my.json: arrivals must have perSecond or load, and not both',
    ],
    [
      'two rates',
      (s) => Object.assign(s.arrivals, { load: 1 }),
      'my.json: arrivals must have perSecond or load, and not both',
    ],
    [
      'a distribution without its parameter',
      (s) => Object.assign(s.servers[0], { service: { kind: 'exponential' } }),
      'my.json: servers/0/service/meanMs is missing: its mean',
    ],
    [
      'a load that cannot be told',
      (s) => Object.assign(s, { arrivals: { kind: 'poisson', load: 0.5 } }),
      /arrivals\/load cannot be told: server-1 has no limit of concurrency.*give perSecond instead/,
    ],
    [
      'a warm-up without end',
      (s) => Object.assign(s, { warmUpMs: 10_000 }),
      /warmUpMs is 10000, which leaves nothing of durationMs, 10000/,
    ],
    [
      'a run without end',
      (s) => Object.assign(s, { durationMs: 1e15 }),
      /durationMs is 1000000000000000, and must be at most 31536000000, a year/,
    ],
    [
      'more calls than anybody waits for',
      (s) => Object.assign(s, { arrivals: { kind: 'uniform', perSecond: 1e12 } }),
      /arrivals makes 1\.0e\+13 calls in durationMs, 10000, and a run can have 1000000000/,
    ],
    [
      'as many by a step',
      (s) => Object.assign(s.arrivals, { steps: [{ atMs: 9_000, factor: 1e12 }] }),
      /arrivals makes \S+ calls in durationMs/,
    ],
    [
      'bursts that come and go for ever',
      (s) =>
        Object.assign(s, {
          arrivals: { kind: 'bursts', perSecond: 1, factor: 2, burstMs: 1e-300, calmMs: 1e-300 },
        }),
      /arrivals\/burstMs is so short that it comes and goes \S+ times in a run/,
    ],
    [
      'an antagonist that does',
      (s) => Object.assign(s.servers[0], { antagonist: { slowBy: 2, forMs: 1e-9, everyMs: 2e-9 } }),
      /servers\/antagonist\/everyMs is so short that it comes and goes \S+ times in a run/,
    ],
    [
      'an event after the end',
      (s) => Object.assign(s, { timeline: [{ kind: 'stop', servers: 'server-1', atMs: 10_000 }] }),
      /timeline\/0\/atMs is 10000, and the run is over at durationMs, 10000: it would never happen/,
    ],
    [
      'a step after the end',
      (s) => Object.assign(s.arrivals, { steps: [{ atMs: 20_000, factor: 2 }] }),
      /arrivals\/steps\/0\/atMs is 20000, and the run is over at durationMs, 10000/,
    ],
    [
      'a server that is not there',
      (s) => Object.assign(s, { timeline: [{ kind: 'stop', servers: 'server-9', atMs: 1 }] }),
      /timeline\/0\/servers names "server-9", which is none of server-1, server-2, server-3, server-4, server$/,
    ],
    [
      'two faults at once',
      (s) =>
        Object.assign(s, {
          timeline: [
            { kind: 'stop', servers: 'server', atMs: 1 },
            { kind: 'stop', servers: 'server-2', atMs: 5 },
          ],
        }),
      /timeline\/1 overlaps timeline\/0: both are stop, of server-2/,
    ],
    [
      'a server that goes before it comes',
      (s) =>
        Object.assign(s, {
          timeline: [
            { kind: 'leave', servers: 'server-2', atMs: 1 },
            { kind: 'join', servers: 'server-2', atMs: 5 },
          ],
        }),
      /timeline\/0\/atMs is 1, and server-2 is not there before it joins, at 5/,
    ],
    [
      'a server that is back after it has left',
      (s) =>
        Object.assign(s, {
          timeline: [
            { kind: 'down', servers: 'server-2', atMs: 1, forMs: 9 },
            { kind: 'leave', servers: 'server-2', atMs: 5 },
          ],
        }),
      /timeline\/0 has server-2 there at 10, and it has left at 5/,
    ],
    [
      'a distribution upside down',
      (s) => Object.assign(s, { network: { delayMs: { kind: 'uniform', minMs: 5, maxMs: 1 } } }),
      /network\/delayMs\/minMs is 5, and must be at most maxMs, 1/,
    ],
    [
      'a load of servers that are all yet to come',
      (s) =>
        Object.assign(s, {
          arrivals: { kind: 'poisson', load: 0.5 },
          timeline: [{ kind: 'join', servers: 'server', atMs: 5 }],
        }),
      /arrivals\/load cannot be told: no server is there from the start/,
    ],
    [
      'a name that is taken',
      (s) => s.servers.push({ name: 'server', count: 1, service: 1 }),
      /servers\/1\/name "server" is taken/,
    ],
    [
      'a retry code that is none',
      (s) => Object.assign(s, { calls: { retry: { codes: ['OK'] } } }),
      /^my.json: calls\/retry\/codes\/0 is "OK", and must be one of UNKNOWN,/,
    ],
    [
      'an option of the pool',
      (s) => Object.assign(s, { pool: { outlierDetection: { hung: true } } }),
      'my.json: pool/outlierDetection/hung is true, and must be false',
    ],
    [
      'a target without a bound',
      (s) => Object.assign(s, { targets: [{ picker: 'random', metric: 'meanMs' }] }),
      'my.json: targets/0 must have atMost or atLeast, or both',
    ],
    [
      'tables beyond reason',
      (s) => Object.assign(s, { clients: 1_000_000 }),
      /clients is 1000000, and with 4 servers each their tables have more than 2000000 rows: have fewer, or give pool\/subset a size/,
    ],
    [
      'a file that is not there',
      (s) => Object.assign(s.servers[0], { service: { kind: 'empirical', file: 'none.txt' } }),
      /servers\/0\/service\/file cannot be read: ENOENT/,
    ],
    ['nothing', () => {}, 'nothing is wrong with it'],
  ])('%s', (_, change, said) => {
    if (typeof said === 'string') expect(saidOf(change)).toBe(said);
    else expect(saidOf(change)).toMatch(said);
  });

  it('JSON that is none, with its place', () => {
    const path = file('broken.json', '{\n  "name": "x",\n  "durationMs": 1,,\n}');
    expect(() => readScenario(path)).toThrow(/broken.json is not JSON: .*line 3/s);
    expect(readScenario(file('marked.json', `\uFEFF${JSON.stringify(scenario())}`))).toEqual(scenario());
    expect(() => readScenario(join(directory, 'none.json'))).toThrow(/cannot read the scenario: ENOENT/);
  });
});

describe('a trace file', () => {
  it('has a number a line', () => {
    const path = file('good.txt', '# measured in milliseconds\n1\n\n 2.5 \r\n3e1');
    expect([...readTrace(path, 'x')]).toEqual([1, 2.5, 30]);
  });

  it.each([
    ['1\n2,3\n', /bad.txt:2: "2,3" is not a number of 0 or more, and the file must have one a line/],
    ['-1', /bad.txt:1: "-1" is not/],
    ['NaN', /"NaN" is not/],
    ['# nothing\n', /bad.txt has no number in it/],
  ])('that is wrong is refused with its line: %j', (text, said) => {
    expect(() => readTrace(file('bad.txt', text), 'servers/0/service/file')).toThrow(said);
  });

  it('drives services and arrivals', () => {
    file('times.txt', '0\n5\n7\n');
    file('service.txt', '20000\n');
    const path = file(
      'traced.json',
      JSON.stringify({
        ...scenario({ durationMs: 20 }),
        arrivals: { kind: 'trace', file: 'times.txt', repeat: true },
        servers: [
          { name: 'server', count: 1, service: { kind: 'empirical', file: 'service.txt', msPerUnit: 0.001 } },
        ],
      }),
    );
    const plan = readPlan(readScenario(path), path);
    const { calls, meanMs } = new Simulation(plan, pickerFactory('random'), 1).run();
    // At 0, 5, 7, and 10.5 later, and so on: the gap from last to first is the mean of the others.
    expect(calls).toBe(6);
    expect(meanMs).toBeCloseTo(20, 6);
  });

  it('of arrivals that begins when all is over is refused', () => {
    file('epoch.txt', '1700000000000\n1700000000005\n');
    const of = scenario({ durationMs: 20, arrivals: { kind: 'trace', file: 'epoch.txt' } });
    expect(() => readPlan(of, join(directory, 'x.json'))).toThrow(
      /arrivals\/file has its first call at 1700000000000 ms, after durationMs, 20/,
    );
  });

  it('of arrivals that is not in order is refused, unless it is of gaps', () => {
    file('gaps.txt', '5\n1\n2\n');
    const of = scenario({ durationMs: 20, arrivals: { kind: 'trace', file: 'gaps.txt' } });
    expect(() => readPlan(of, join(directory, 'x.json'))).toThrow(
      /arrivals\/file is not in order: number 2, 1, is less/,
    );
    const gaps = scenario({ durationMs: 20, arrivals: { kind: 'trace', file: 'gaps.txt', as: 'gaps' } });
    const plan = readPlan(gaps, join(directory, 'x.json'));
    expect(plan.arrivals).toMatchObject({ times: Float64Array.of(5, 6, 8) });
  });
});

describe('the schema', () => {
  const schema = JSON.parse(readFileSync(schemaPath(), 'utf8'));

  it('describes every field', () => {
    const undescribed: string[] = [];
    const visit = (node: unknown, path: string) => {
      if (typeof node !== 'object' || node === null) return;
      for (const [key, value] of Object.entries(node)) {
        if (key === 'properties') {
          for (const [name, field] of Object.entries(value as Record<string, Record<string, unknown>>)) {
            if (name === '$schema' || ('const' in field && path.includes('distribution'))) continue;
            const of = String(field.$ref ?? '')
              .split('/')
              .at(-1)!;
            if (field.description === undefined && schema.definitions[of]?.description === undefined) {
              undescribed.push(`${path}/${name}`);
            }
          }
        }
        visit(value, `${path}/${key}`);
      }
    };
    visit(schema, '');
    expect(undescribed).toEqual([]);
  });

  it('knows the metrics that there are', () => {
    expect(schema.properties.targets.items.properties.metric.enum).toEqual(METRICS);
  });
});

describe('the gallery', () => {
  const names = readdirSync(GALLERY).filter((name) => name.endsWith('.json'));

  it.each(names)('has %s, which can be run', (name) => {
    const path = join(GALLERY, name);
    const whole = readScenario(path);
    // Short, and with few clients: that it runs is all that is asked here.
    const brief = { ...whole, durationMs: 400, warmUpMs: 0, clients: Math.min(whole.clients ?? 1, 20) };
    const plan = readPlan(brief, path);
    const { calls } = new Simulation(plan, pickerFactory('peak-ewma'), 1).run();
    expect(calls).toBeGreaterThan(0);
    expect(whole.pickers?.length).toBeGreaterThan(1);
    for (const { picker } of whole.targets ?? []) expect(whole.pickers).toContain(picker);
  });
});
