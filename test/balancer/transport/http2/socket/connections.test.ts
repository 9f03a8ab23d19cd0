// The transport on real sockets: TLS, Unix sockets, proxies, and what becomes of connections.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type Http2TransportOptions,
  http2Transport,
} from '../../../../../src/balancer/transport/http2/index.js';
import { dial } from '../../../../../src/balancer/transport/http2/socket/dial.js';
import { TlsSessions } from '../../../../../src/balancer/transport/http2/socket/tls.js';
import type { ConnectionEvent } from '../../../../../src/balancer/transport/transport.js';
import { Status } from '../../../../../src/base/errors.js';
import { endpoint } from '../../../../support/endpoints.js';
import { Heard, message } from '../grpc/call-harness.js';

const pem = (name: string) => readFileSync(new URL(`../../../../fixtures/tls/${name}.pem`, import.meta.url));
const IDENTITY = { key: pem('server-key'), cert: pem('server') };

/** Answers every call with the name of its `:authority`. */
function answer(stream: ServerHttp2Stream, headers: { ':authority'?: string }): void {
  stream.on('error', () => {});
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(message(headers[':authority'] ?? ''));
}

interface Peer {
  readonly address: string;
  readonly sessions: ServerHttp2Session[];
}

async function serve(
  server: Http2Server | Http2SecureServer,
  where: { port: 0 } | { path: string } = { port: 0 },
): Promise<Peer> {
  const sessions: ServerHttp2Session[] = [];
  server.on('session', (session: ServerHttp2Session) => {
    session.on('error', () => {});
    sessions.push(session);
  });
  server.on('stream', answer);
  server.on('sessionError', () => {});
  await listen(server as unknown as Server, where);
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return {
    address: 'path' in where ? `unix:${where.path}` : addressOf(server as unknown as Server),
    sessions,
  };
}

function listen(server: Server, where: { port: 0 } | { path: string } = { port: 0 }): Promise<void> {
  return new Promise((resolve) => server.listen({ host: '127.0.0.1', ...where }, resolve));
}

function addressOf(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

class Client {
  readonly events: ConnectionEvent[] = [];
  readonly connection;
  #heard = () => {};

  constructor(address: string, options: Http2TransportOptions = {}) {
    this.connection = http2Transport({ proxy: false, ...options })(endpoint('a', address), (event) => {
      this.events.push(event);
      this.#heard();
    });
    onTestFinished(() => this.connection.retire());
  }

  /** What it tells next, beside its limit. */
  async next(): Promise<ConnectionEvent> {
    for (;;) {
      const event = this.events.shift();
      if (event !== undefined && event.kind !== 'stream-limit') return event;
      if (event === undefined) {
        await new Promise<void>((resolve) => {
          this.#heard = resolve;
        });
      }
    }
  }

  async connect(): Promise<string> {
    this.connection.connect();
    const event = await this.next();
    return event.kind === 'failed' ? (event.cause as Error).message : event.kind;
  }

  start(): Heard {
    const heard = new Heard();
    const call = this.connection.start({ path: '/s/m', metadata: new Metadata() }, 10_000, heard);
    call.startRead();
    call.sendMessage(Buffer.from('request'));
    call.halfClose();
    return heard;
  }

  async call(): Promise<string> {
    const heard = this.start();
    const { code, details } = await heard.ended;
    return code === Status.OK ? String(heard.messages[0]) : `${code} ${details}`;
  }
}

describe('over TLS', () => {
  const secure = () => serve(createSecureServer(IDENTITY));

  it('calls servers that it trusts', async () => {
    const { address } = await secure();
    const client = new Client(address, { tls: { ca: pem('ca') } });
    expect(await client.connect()).toBe('ready');
    expect(await client.call()).toBe(address);
  });

  it.each<[what: string, options: Http2TransportOptions['tls'], why: RegExp]>([
    ['that nobody it trusts vouches for', true, /: (self-signed certificate|unable to)/],
    ['of another name', { ca: pem('ca'), servername: 'elsewhere.example' }, /elsewhere\.example/],
  ])('does not call servers %s', async (_, tls, why) => {
    const { address } = await secure();
    const client = new Client(address, { tls });
    expect(await client.connect()).toMatch(why);
    expect(await client.call()).toMatch(/^14 /);
  });

  it('calls them all the same where it is told not to look', async () => {
    const { address } = await secure();
    expect(await new Client(address, { tls: { rejectUnauthorized: false } }).connect()).toBe('ready');
  });

  it('takes the name that a certificate must have by the option of grpc-js', async () => {
    const { address } = await secure();
    const named = (name: string) =>
      new Client(address, {
        tls: { ca: pem('ca') },
        channelOptions: { 'grpc.ssl_target_name_override': name },
      });
    expect(await named('localhost').connect()).toBe('ready');
    expect(await named('elsewhere.example').connect()).toContain('elsewhere.example');
  });

  it('wants HTTP/2 by ALPN, and says so', async () => {
    const silent = createTlsServer(IDENTITY);
    const refusing = createTlsServer({ ...IDENTITY, ALPNProtocols: ['http/1.1'] });
    for (const server of [silent, refusing]) {
      server.on('tlsClientError', () => {});
      server.on('connection', (socket) => socket.on('error', () => {}));
      await listen(server);
      onTestFinished(() => void server.close());
      const client = new Client(addressOf(server), { tls: { ca: pem('ca') } });
      expect(await client.connect()).toMatch(/does not speak HTTP\/2 over TLS/);
    }
  });

  it('says when the server does not speak TLS', async () => {
    const { address } = await serve(createServer());
    expect(await new Client(address, { tls: { ca: pem('ca') } }).connect()).toMatch(
      /does not speak TLS|socket|dropped|ECONNRESET/,
    );
  });

  it('asks for its options anew at each connect, and resumes sessions while they are the same', async () => {
    const server = createSecureServer({
      ...IDENTITY,
      ca: pem('ca'),
      requestCert: true,
      rejectUnauthorized: true,
    });
    const resumed: boolean[] = [];
    server.on('secureConnection', (socket) => resumed.push(socket.isSessionReused()));
    const { address, sessions } = await serve(server);
    const identities = [
      { key: pem('client-key'), cert: pem('client') },
      { key: pem('client-key'), cert: pem('client') },
      { key: pem('next-client-key'), cert: pem('next-client') },
    ];
    const asked: string[] = [];
    const client = new Client(address, {
      tls: ({ address }) => {
        asked.push(address);
        return { ca: pem('ca'), ...identities[asked.length - 1] };
      },
    });
    for (let i = 0; i < identities.length; i++) {
      expect(await client.connect()).toBe('ready');
      // The ticket comes with the first answer at the latest.
      expect(await client.call()).toBe(address);
      sessions.at(-1)!.destroy();
      expect(await client.next()).toEqual({ kind: 'lost' });
    }
    expect(asked).toEqual([address, address, address]);
    expect(resumed).toEqual([false, true, false]);
  });

  it('fails where its options cannot be had, and only there', async () => {
    const { address } = await secure();
    let readable = false;
    const client = new Client(address, {
      tls: () => {
        if (!readable) throw new Error('no such file: ca.pem');
        return { ca: pem('ca') };
      },
    });
    expect(await client.connect()).toBe(`${address}: no such file: ca.pem`);
    readable = true;
    expect(await client.connect()).toBe('ready');
  });

  it('knows who the server is', async () => {
    const { address } = await secure();
    const client = new Client(address, { tls: { ca: pem('ca') } });
    await client.connect();
    const heard = new Heard();
    const call = client.connection.start({ path: '/s/m', metadata: new Metadata() }, 10_000, heard);
    expect([call.peer, call.authContext]).toEqual([undefined, undefined]);
    call.startRead();
    call.halfClose();
    await heard.ended;
    expect(call.peer).toBe(address);
    expect(call.authContext).toMatchObject({ transportSecurityType: 'ssl', sslPeerCertificate: {} });
  });
});

describe('over a Unix socket', () => {
  it.each(['unix:', 'unix://'])('calls servers at %s', async (scheme) => {
    const folder = await mkdtemp(join(tmpdir(), 'evenkeel-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, 'socket');
    await serve(createServer(), { path });
    const client = new Client(`${scheme}${path}`);
    expect(await client.connect()).toBe('ready');
    expect(await client.call()).toBe('localhost');
  });

  it('says when there is none', async () => {
    expect(await new Client('unix:/nowhere/socket').connect()).toMatch(/^unix:\/nowhere\/socket: .*ENOENT/);
  });
});

describe('through a proxy', () => {
  /** One that speaks CONNECT, and notes what it was asked. */
  async function proxy(answers: string): Promise<{ address: string; asked: string[] }> {
    const asked: string[] = [];
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (chunk: Buffer) => {
        asked.push(String(chunk));
        const [, host, port] = /^CONNECT ([\d.]+):(\d+)/.exec(String(chunk))!;
        // In two pieces, as it may come.
        socket.write(answers.slice(0, 7));
        setImmediate(() => {
          socket.write(answers.slice(7));
          if (!answers.includes(' 200')) return;
          const through = connectTcp(Number(port), host, () => socket.pipe(through).pipe(socket));
          through.on('error', () => socket.destroy());
        });
      });
    });
    await listen(server);
    onTestFinished(() => void server.close());
    return { address: addressOf(server), asked };
  }

  function withEnvironment(values: Record<string, string>): void {
    for (const [name, value] of Object.entries(values)) process.env[name] = value;
    onTestFinished(() => {
      for (const name of Object.keys(values)) delete process.env[name];
    });
  }

  it.each([
    ['in the clear', () => serve(createServer()), {}],
    ['by TLS', () => serve(createSecureServer(IDENTITY)), { tls: { ca: pem('ca') } }],
  ])('that the environment names, calls servers %s', async (_, start, options) => {
    const { address } = await start();
    const { address: at, asked } = await proxy('HTTP/1.1 200 Connection established\r\n\r\n');
    withEnvironment({ grpc_proxy: `http://alice:s%2Fcret@${at}` });
    const client = new Client(address, { ...options, proxy: true });
    expect(await client.connect()).toBe('ready');
    expect(await client.call()).toBe(address);
    const secret = Buffer.from('alice:s/cret').toString('base64');
    expect(asked).toEqual([
      `CONNECT ${address} HTTP/1.1\r\nHost: ${address}\r\nProxy-Authorization: Basic ${secret}\r\n\r\n`,
    ]);
  });

  it('fails where the options of TLS cannot be, as without a proxy', async () => {
    const { address } = await serve(createSecureServer(IDENTITY));
    const { address: at } = await proxy('HTTP/1.1 200 OK\r\n\r\n');
    for (const proxied of [true, false]) {
      if (proxied) withEnvironment({ grpc_proxy: `http://${at}` });
      const tls = { cert: 'nonsense', key: 'nonsense' };
      expect(await new Client(address, { tls, proxy: proxied }).connect()).toMatch(/^127.*: .*PEM/i);
    }
  });

  it('goes without where it is told so, or the environment says so', async () => {
    const { address } = await serve(createServer());
    const { address: at, asked } = await proxy('HTTP/1.1 200 OK\r\n\r\n');
    withEnvironment({ grpc_proxy: `http://${at}` });
    expect(await new Client(address, { proxy: false }).connect()).toBe('ready');
    expect(
      await new Client(address, { proxy: true, channelOptions: { 'grpc.enable_http_proxy': 0 } }).connect(),
    ).toBe('ready');
    withEnvironment({ no_proxy: 'example.com, 127.0.0.0/8' });
    expect(await new Client(address, { proxy: true }).connect()).toBe('ready');
    expect(asked).toEqual([]);
  });

  it('says when the proxy refuses, is not there, or cannot be', async () => {
    const { address } = await serve(createServer());
    const { address: at } = await proxy('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    withEnvironment({ grpc_proxy: `http://${at}` });
    expect(await new Client(address, { proxy: true }).connect()).toContain(
      'the proxy answers "HTTP/1.1 407 Proxy Authentication Required" to CONNECT',
    );
    withEnvironment({ grpc_proxy: 'http://127.0.0.1:1' });
    expect(await new Client(address, { proxy: true }).connect()).toContain('the proxy 127.0.0.1:1: ');
    withEnvironment({ grpc_proxy: 'socks://127.0.0.1:1' });
    expect(await new Client(address, { proxy: true }).connect()).toContain('grpc_proxy is no http: URL');
  });
});

describe('a connection', () => {
  it('says why it cannot be made', async () => {
    expect(await new Client('127.0.0.1:1').connect()).toBe('127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1');
  });

  it('fails when the other side speaks something else', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    await listen(server);
    onTestFinished(() => void server.close());
    expect(await new Client(addressOf(server)).connect()).toMatch(/PROTOCOL_ERROR|FRAME_SIZE_ERROR/);
  });

  it('lets calls wait while it connects', async () => {
    const { address } = await serve(createServer());
    const client = new Client(address);
    client.connection.connect();
    expect(await client.call()).toBe(address);
  });

  it('fails calls that wait with why it could not connect, and those on nothing at once', async () => {
    const client = new Client('127.0.0.1:1');
    client.connection.connect();
    expect(await client.start().ended).toMatchObject({ code: 14, reached: 'never' });
    expect(await client.start().ended).toMatchObject({ code: 14, reached: 'never' });
  });

  it('goes on with another when the server goes away, while the calls of the first finish', async () => {
    const held: ServerHttp2Stream[] = [];
    const server = createServer();
    const { address, sessions } = await serve(server);
    server.removeListener('stream', answer);
    server.on('stream', (stream) => held.push(stream));
    const client = new Client(address);
    await client.connect();
    const first = client.start();
    await expect.poll(() => held.length).toBe(1);
    sessions[0]!.goaway(0);
    expect(await client.next()).toEqual({ kind: 'lost' });
    expect(await client.connect()).toBe('ready');
    const second = client.start();
    await expect.poll(() => held.length).toBe(2);
    for (const stream of held) answer(stream, { ':authority': 'late' });
    expect((await first.ended).code).toBe(0);
    expect((await second.ended).code).toBe(0);
    expect(sessions).toHaveLength(2);
  });

  it('is lost when the server says no more, though it does not read what is to be written', async () => {
    const server = createTcpServer({ allowHalfOpen: true, pauseOnConnect: true });
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
    await listen(server);
    const { port } = server.address() as AddressInfo;
    const closed = new Promise<string>((resolve) => {
      const dialled = dial(
        {
          address: addressOf(server),
          target: { kind: 'tcp', host: '127.0.0.1', port },
          tls: undefined,
          targetName: undefined,
          sessions: new TlsSessions(),
          proxy: undefined,
          readBuffer: Buffer.alloc(1_024),
        },
        {
          // More than the system takes.
          connected: (socket) => void socket.write(Buffer.alloc(64 * 1_024 * 1_024)),
          read: () => {},
          closed: resolve,
        },
      );
      onTestFinished(() => dialled.hangUp());
    });
    const socket = await accepted;
    socket.on('error', () => {});
    onTestFinished(() => {
      socket.destroy();
      server.close();
    });
    socket.end();
    expect(await closed).toBe('Connection dropped');
  });

  it('is lost, and has no call that comes when another hears of it', async () => {
    const server = createServer();
    const sockets: Socket[] = [];
    server.on('connection', (socket: Socket) => sockets.push(socket));
    const { address } = await serve(server);
    server.removeListener('stream', answer);
    const served = new Promise<ServerHttp2Stream>((resolve) => server.once('stream', resolve));
    const client = new Client(address);
    await client.connect();
    const first = client.start();
    (await served).on('error', () => {});
    let second: Heard | undefined;
    const { onStatus } = first;
    first.onStatus = (status) => {
      second = client.start();
      onStatus.call(first, status);
    };
    sockets[0]!.destroy();
    await first.ended;
    expect(await second!.ended).toMatchObject({ code: Status.UNAVAILABLE, reached: 'never' });
    expect(await client.next()).toEqual({ kind: 'lost' });
  });

  it('tells of the limit of the server, and what it does not let in waits', async () => {
    const server = createServer({ settings: { maxConcurrentStreams: 2 } });
    const held: ServerHttp2Stream[] = [];
    const { address } = await serve(server);
    server.removeListener('stream', answer);
    server.on('stream', (stream) => held.push(stream));
    const client = new Client(address);
    client.connection.connect();
    await expect.poll(() => client.events).toEqual([{ kind: 'stream-limit', limit: 2 }, { kind: 'ready' }]);
    expect(client.connection.streamLimit).toBe(2);
    const calls = [1, 2, 3].map(() => client.start());
    await expect.poll(() => held.length).toBe(2);
    answer(held[0]!, {});
    await calls[0]!.ended;
    await expect.poll(() => held.length).toBe(3);
    for (const stream of held.slice(1)) answer(stream, {});
    expect((await Promise.all(calls.map(({ ended }) => ended))).map(({ code }) => code)).toEqual([0, 0, 0]);
  });
});

describe('options that cannot be', () => {
  it.each<[Http2TransportOptions, RegExp]>([
    [
      { channelOptions: { 'grpc.lb_policy_name': 'x' } as never },
      /"grpc.lb_policy_name" is not known to this transport/,
    ],
    [{ channelOptions: { 'grpc.max_receive_message_length': -2 } }, /max_receive_message_length/],
    [
      { channelOptions: { 'grpc.default_compression_algorithm': 3 as never } },
      /default_compression_algorithm/,
    ],
    [{ channelOptions: { 'grpc-node.flow_control_window': 1_000 } }, /flow_control_window/],
    [{ maxHeaderListSize: 0 }, /maxHeaderListSize/],
    [{ settingsTimeoutMs: Number.NaN }, /settingsTimeoutMs/],
    [{ callCredentials: {} as never }, /callCredentials go over TLS only/],
  ])('%j', (options, why) => {
    expect(() => http2Transport(options)).toThrow(why);
  });
});
