import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../../test/support/free-ports.js';
import { Cleanups } from '../../support/cleanups.js';
import { type Command, required } from '../support/command.js';
import { MAX_CONCURRENT_STREAMS } from './checks.js';
import { type Peer, type Start, TLS_FILES, type Without } from './peer.js';
import { PeerProcess } from './process.js';
import { grpcJs } from './servers.js';

interface Proxy {
  readonly name: string;
  readonly without?: Without;
  /** At this one it stops gracefully. */
  readonly stopBy: NodeJS.Signals;
  /** What its files are called and say, and how it is started with them. */
  configure(
    place: Place,
  ): Promise<{ readonly files: Readonly<Record<string, string>>; readonly command: Command }>;
}

interface Place {
  readonly program: string;
  readonly folder: string;
  readonly port: number;
  readonly server: string;
  readonly tls: boolean;
}

const PROXIES: readonly Proxy[] = [
  {
    name: 'nginx',
    stopBy: 'SIGQUIT',
    async configure({ program, folder, port, server, tls }) {
      const secured = `ssl_certificate ${TLS_FILES.certificate}; ssl_certificate_key ${TLS_FILES.key};`;
      const conf = `
        daemon off;
        pid ${folder}/pid;
        error_log stderr warn;
        worker_processes 1;
        events { worker_connections 256; }
        http {
          access_log off;
          client_body_temp_path ${folder}/body;
          proxy_temp_path ${folder}/proxy;
          fastcgi_temp_path ${folder}/fastcgi;
          uwsgi_temp_path ${folder}/uwsgi;
          scgi_temp_path ${folder}/scgi;
          client_max_body_size 0;
          http2_max_concurrent_streams ${MAX_CONCURRENT_STREAMS};
          server {
            listen 127.0.0.1:${port} ${tls ? 'ssl' : ''} http2;
            ${tls ? secured : ''}
            location / { grpc_pass grpc://${server}; }
          }
        }`;
      const args = ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')];
      return { files: { 'nginx.conf': conf }, command: { program, args } };
    },
  },
  {
    name: 'haproxy',
    without: {
      'big messages both ways at once': {
        why: 'HAProxy 2.6 reads nothing of a connection while one of its streams is full, not even the credit for its answers',
      },
      'streams side by side': {
        over: 'grpc-js',
        why: 'HAProxy resets a stream that has ended, without an error, and grpc-js then loses what it has not read yet',
      },
    },
    stopBy: 'SIGUSR1',
    async configure({ program, folder, port, server, tls }) {
      const [certificate, key] = [await readFile(TLS_FILES.certificate), await readFile(TLS_FILES.key)];
      const conf = `
global
  tune.h2.max-concurrent-streams ${MAX_CONCURRENT_STREAMS}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port} ${tls ? `ssl crt ${join(folder, 'identity.pem')} alpn h2` : 'proto h2'}
  default_backend servers
backend servers
  server one ${server} proto h2
`;
      return {
        files: { 'haproxy.cfg': conf, 'identity.pem': `${certificate}${key}` },
        command: { program, args: ['-db', '-f', join(folder, 'haproxy.cfg')] },
      };
    },
  },
  {
    name: 'nghttpx',
    stopBy: 'SIGQUIT',
    async configure({ program, port, server, tls }) {
      const [host, serverPort] = server.split(':');
      return {
        files: {},
        command: {
          program,
          args: [
            '--conf=/dev/null',
            `--frontend=127.0.0.1,${port}${tls ? '' : ';no-tls'}`,
            `--backend=${host},${serverPort};;proto=h2`,
            `--frontend-http2-max-concurrent-streams=${MAX_CONCURRENT_STREAMS}`,
            '--workers=1',
            '--no-ocsp',
            ...(tls ? [TLS_FILES.key, TLS_FILES.certificate] : []),
          ],
        },
      };
    },
  },
];

/** Proxies, each before a grpc-js server. */
export const proxies: readonly Peer[] = PROXIES.map(
  (proxy): Peer => ({
    name: proxy.name,
    without: proxy.without ?? {},
    async prepare(run) {
      const program = required(proxy.name);
      const startServer = await grpcJs.prepare(run);
      return starting(proxy, program, startServer);
    },
  }),
);

function starting(proxy: Proxy, program: string, startServer: Start): Start {
  return async (tls, signal) => {
    const all = new Cleanups(signal);
    try {
      const server = await startServer(false, signal);
      all.add(() => server[Symbol.asyncDispose]());
      const folder = await mkdtemp(join(tmpdir(), `evenkeel-${proxy.name}-`));
      all.add(() => rm(folder, { recursive: true, force: true }));
      const [port] = (await freePorts(1)) as [number];
      const place = { program, folder, port, server: server.address, tls };
      const { files, command } = await proxy.configure(place);
      for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
      const running = new PeerProcess(command, proxy.stopBy);
      all.add(() => running[Symbol.asyncDispose]());
      const address = `127.0.0.1:${port}`;
      return { address, process: running, [Symbol.asyncDispose]: () => all[Symbol.asyncDispose]() };
    } catch (thrown) {
      await all[Symbol.asyncDispose]();
      throw thrown;
    }
  };
}
