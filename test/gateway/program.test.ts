import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { assign, type ServiceSpec } from '../../src/cli/assign.js';
import type { Descriptors } from '../../src/gateway/index.js';
import { Program } from '../cli/program.js';
import { startEtcd } from '../support/etcd.js';
import { freePorts } from '../support/free-ports.js';
import { image } from '../support/image.js';
import { ServerProcess } from '../support/server-process.js';
import { request } from './support.js';

let directory = '';
let descriptors = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'evenkeel-gateway-'));
  descriptors = join(directory, 'image.binpb');
  writeFileSync(descriptors, image('project'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function run(...args: string[]): Program {
  const program = new Program('gateway', '--host', '127.0.0.1', '--port', '0', ...args);
  onTestFinished(async () => void (await program.kill()));
  return program;
}

async function serving(program: Program): Promise<string> {
  await program.until('an address', ({ out }) => out.some((line) => line.startsWith('serving ')));
  return program.out
    .find((line) => line.startsWith('serving '))!
    .split(' ')
    .at(-1)!;
}

describe('evenkeel gateway', () => {
  it('serves what is in etcd, with or without servers, and ends in order', async () => {
    const etcd = await startEtcd();
    onTestFinished(() => etcd.close());
    const json = ['--proto-names', '--emit-defaults'];
    const program = run(
      '--reg',
      etcd.url,
      '--descriptors',
      descriptors,
      '--all',
      '--timeout',
      '5000',
      ...json,
    );
    const url = await serving(program);
    expect((await request(`${url}/readyz`)).status).toBe(503);

    // Waits for the server that is yet to come.
    const early = request(`${url}/hello`, { method: 'POST', body: '{"name":"fromGW"}' });
    const server = await ServerProcess.start({
      service: 'hello_service',
      announceTo: { kind: 'etcd', hosts: [etcd.url] },
    });
    onTestFinished(async () => void (await server.kill()));
    expect(await early).toMatchObject({
      status: 200,
      json: { message: `Hello fromGW from ${server.address}` },
    });
    expect((await request(`${url}/readyz`)).status).toBe(200);
    expect((await request(`${url}/docs/`)).text).toContain('swagger-ui');
    const { schemas } = (await request(`${url}/openapi.json`)).json.components;
    expect(schemas['evenkeel.echo.v1.EchoRequest'].properties).toHaveProperty('delay_ms');

    const slow = { method: 'POST', body: '{"delayMs":1500}' };
    const path = '/evenkeel.echo.v1.Echo/Unary';
    const { calls } = await server.report();
    const inFlight = request(url + path, slow);
    while ((await server.report()).calls === calls);
    program.signal('SIGTERM');
    // Until it takes no more connections; when that is, its clock says, and this may come too late for its last words.
    const said: string[] = [];
    for (let open = true; open; ) {
      const answer = await request(`${url}/readyz`).catch(() => undefined);
      open = answer !== undefined;
      if (answer !== undefined) said.push(answer.json.status ?? answer.json.message);
    }
    expect(said.join()).toMatch(/^(ready(,|$))*(closing(,|$))*(this gateway is closing(,|$))*$/);
    expect(await inFlight).toMatchObject({ status: 200, json: { server: server.address, payload: '' } });
    expect(await program.exited).toBe(0);
    // On a busy machine an etcd may be silent for a while, which is said, and is nobody's fault.
    expect(program.err.filter((line) => !/ is (?:stale|current)/.test(line))).toEqual([]);
  });

  it('serves the servers that --registry names', async () => {
    const server = await ServerProcess.start({ service: 'any', announceTo: { kind: 'nowhere' } });
    onTestFinished(async () => void (await server.kill()));
    const registry = ['--registry', `static:///${server.address}`];
    const url = await serving(run(...registry, '--descriptors', descriptors, '--service', 'any'));
    expect(await request(`${url}/hello`, { method: 'POST', body: '{"name":"static"}' })).toMatchObject({
      status: 200,
      json: { message: `Hello static from ${server.address}` },
    });
  });

  it.each([
    [['--descriptors', 'IMAGE', '--reflect'], /--reflect.*cannot be used with.*--descriptors/],
    [[], /Say --descriptors FILE, .* or --reflect/],
    [['--descriptors', '/nope.binpb'], /--descriptors \/nope.binpb: ENOENT/],
    [['--descriptors', 'package.json'], /--descriptors package.json: .* not a FileDescriptorSet/],
    [['--descriptors', 'IMAGE', '--service', 'a=b=c'], /--service.*'a=b=c'/],
    [
      ['--descriptors', 'IMAGE', '--service', 'a=no.Such'],
      /no service "no.Such", but: evenkeel.echo.v1.Echo, /,
    ],
    [['--descriptors', 'IMAGE', '--max-body', '0'], /--max-body.*'0'/],
    [['--descriptors', 'IMAGE', '--timeout', 'x'], /--timeout.*'x'/],
    [['--descriptors', 'IMAGE', '--idempotent', 'x'], /"x", which is not \/package.Service\/Method/],
    [['--descriptors', 'IMAGE', '--service', 'evenkeel.echo.v1.Echo'], /nothing to serve: .*--all/],
  ])('%j: one line, and exit code 2', async (args, message) => {
    const [port] = await freePorts(1);
    const reg = `http://127.0.0.1:${port}`;
    const program = run('--reg', reg, ...args.map((arg) => (arg === 'IMAGE' ? descriptors : arg)));
    expect(await program.exited).toBe(2);
    expect(program.out).toEqual([]);
    expect(program.err).toEqual([expect.stringMatching(message)]);
  });
});

describe('assign', () => {
  const descriptorsOf = (...names: string[]) =>
    ({ services: names.map((typeName) => ({ typeName })) }) as unknown as Descriptors;
  const first = descriptorsOf('p.A', 'p.B');
  const second = descriptorsOf('q.C');
  const spec = (text: string): ServiceSpec => {
    const [name, service] = text.split('=') as [string, string?];
    return { name, service };
  };
  const assigned = (...texts: string[]) =>
    assign(texts.map(spec), [first, second]).map(({ name, services }) => `${name}: ${services.join(' ')}`);

  it.each([
    [['x'], ['x: p.A p.B', 'x: q.C']],
    [['p.A'], ['p.A: p.A']],
    [['x=p.A'], ['x: p.A']],
    [
      ['x=p.A', 'y'],
      ['x: p.A', 'y: p.B', 'y: q.C'],
    ],
    [
      ['x=p.A', 'x=q.C'],
      ['x: p.A', 'x: q.C'],
    ],
    [
      ['p.A', 'q.C', 'y=p.B'],
      ['p.A: p.A', 'q.C: q.C', 'y: p.B'],
    ],
  ])('%j are %j', (texts, expected) => {
    expect(assigned(...texts)).toEqual(expected);
  });

  it.each([
    [['x=p.X'], 'no service "p.X", but: p.A, p.B, q.C'],
    [['x', 'y'], 'behind x and y? any of p.A, p.B, q.C could be: say --service x=package.Service'],
    [['x=p.A', 'y=p.B', 'z=q.C', 'w'], 'behind w? none is left'],
  ])('%j cannot be told', (texts, reason) => {
    expect(() => assigned(...texts)).toThrow(reason);
  });
});
