import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type EtcdProcess, startEtcd } from '../support/etcd.js';
import { freePorts } from '../support/free-ports.js';
import { Program } from './program.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A client of an etcd that is not there. It waits while the other tests run. */
let hopeless: { readonly program: Program; readonly began: number; endedAt: number };
beforeAll(async () => {
  const [port] = await freePorts(1);
  const program = new Program('client', '--reg', `http://127.0.0.1:${port}`);
  hopeless = { program, began: performance.now(), endedAt: Number.NaN };
  void program.exited.then(() => {
    hopeless.endedAt = performance.now();
  });
});
afterAll(() => hopeless.program.kill());

function run(...args: string[]): Program {
  const program = new Program(...args);
  cleanups.push(() => program.kill());
  return program;
}

async function etcd(): Promise<EtcdProcess> {
  const started = await startEtcd();
  cleanups.push(() => started.close());
  return started;
}

async function server(reg: string): Promise<{ program: Program; address: string }> {
  const program = run('server', '--host', '127.0.0.1', '--port', '0', '--reg', reg);
  await program.until('an address', ({ out }) => out.length > 0);
  return { program, address: program.out[0]?.split(' ').at(-1) as string };
}

async function registered(program: Program): Promise<void> {
  await program.until('a registration', ({ out }) => out.some((line) => line.startsWith('registered ')));
}

describe('a command line that cannot be meant', () => {
  it.each([
    ['server --port abc', /--port.*'abc'.*0 to 65535/],
    ['server --port 70000', /--port.*'70000'/],
    ['server --port -1', /--port.*'-1'/],
    ['server --prot 1', /unknown option '--prot'/],
    ['server --port', /--port.*missing/],
    ['server here', /too many arguments/],
    ['server --host a:b', /--host.*'a:b'/],
    ['server --host 0.0.0.0 --port 0', /advertise/],
    ['server --port 0 --reg ftp://x', /--reg.*"ftp:\/\/x"/],
    ['client --interval 0', /--interval.*'0'/],
    ['client --interval NaN', /--interval.*'NaN'/],
    ['client --picker fastest', /--picker.*'fastest'.*round-robin, random, least-pending/],
    ['client --reg http://x:y', /--reg.*"http:\/\/x:y"/],
    ['sever', /unknown command 'sever'/],
  ])('%s: one line, and exit code 2', async (line, message) => {
    const program = run(...line.split(' '));

    expect(await program.exited).toBe(2);
    expect(program.out).toEqual([]);
    expect(program.err).toEqual([expect.stringMatching(message)]);
  });

  it('prints no password that was put there', async () => {
    const program = run('client', '--reg', 'http://root:hunter2@127.0.0.1:2379');

    expect(await program.exited).toBe(2);
    expect(program.err).toHaveLength(1);
    expect(program.err[0]).not.toContain('hunter2');
  });
});

describe('evenkeel server', () => {
  it('says in one line that its port is taken', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => holder.close(resolve)));
    const { port } = holder.address() as { port: number };
    const program = run('server', '--host', '127.0.0.1', '--port', String(port));

    expect(await program.exited).toBe(1);
    expect(program.out).toEqual([]);
    expect(program.err).toEqual([expect.stringMatching(`127.0.0.1:${port} is in use`)]);
  });

  it('serves without an etcd, says so once, and is announced when there is one', async () => {
    const registry = await etcd();
    await registry.stop();
    const { program } = await server(registry.url);
    await program.until('a warning', ({ err }) => err.length > 0);

    await registry.start();
    await registered(program);
    expect(program.err).toEqual([expect.stringMatching(/^evenkeel: .*ECONNREFUSED/)]);
    expect(await program.kill('SIGTERM')).toBe(0);
  });
});

describe('evenkeel client', () => {
  it('calls the servers in turn, goes on without one that ends, and ends at Ctrl-C', async () => {
    const { url } = await etcd();
    const [first, second] = [await server(url), await server(url)];
    await Promise.all([registered(first.program), registered(second.program)]);
    const client = run('client', '--reg', url, '--interval', '20');

    const last = (count: number) => client.out.slice(-count).map((line) => line.split(' ').at(-1));
    await client.until('replies from both', () => new Set(last(2)).size === 2);
    expect(client.out[0]).toMatch(/^Hello world 1 from 127\.0\.0\.1:\d+$/);

    expect(await first.program.kill('SIGTERM')).toBe(0);
    const { length } = client.out;
    await client.until('more replies', ({ out }) => out.length >= length + 5);
    expect(new Set(last(5))).toEqual(new Set([second.address]));
    expect(client.err).toEqual([]);

    expect(await client.kill('SIGINT')).toBe(130);
    expect(client.err).toEqual([]);
    expect(await second.program.kill('SIGINT')).toBe(0);
  });

  it('ends quietly when nobody reads its replies any more', async () => {
    const { url } = await etcd();
    const { program } = await server(url);
    await registered(program);
    const client = run('client', '--reg', url, '--interval', '20');
    await client.until('a reply', ({ out }) => out.length > 0);

    client.child.stdout?.destroy();
    expect(await client.exited).toBe(0);
    expect(client.err).toEqual([]);
  });

  it('gives up in one line when etcd says nothing for 10 s', async () => {
    expect(await hopeless.program.exited).toBe(1);
    expect(hopeless.endedAt - hopeless.began).toBeGreaterThan(9_900);
    expect(hopeless.program.out).toEqual([]);
    expect(hopeless.program.err).toEqual([
      expect.stringMatching(/no word of hello_service .* within 10 s: .*ECONNREFUSED/),
    ]);
  });
});
