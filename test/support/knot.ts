// A real DNS server on a free loopback port: Debian's knot, changed live by nsupdate.
import { spawn } from 'node:child_process';
import { promises as dns } from 'node:dns';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endWithUs } from './children.js';
import { findProgram, installPackage, lastLine, mayInstall } from './debian.js';
import { eventually } from './eventually.js';
import { freePorts } from './free-ports.js';

/** `test.` is the zone of every server. */
const ZONE = `
$ORIGIN test.
$TTL 3600
@ SOA ns.test. admin.test. 1 3600 600 86400 1
@ NS ns.test.
ns A 127.0.0.1
`;

/** Finds knot and nsupdate, or installs them where that may be; why not, where there are none. */
export async function ensureKnot(): Promise<string | undefined> {
  const missing = () => (['knotd', 'nsupdate'] as const).filter((name) => findProgram(name) === undefined);
  if (missing().length === 0) return undefined;
  if (!(await mayInstall())) return `no ${missing().join(' and no ')} on PATH (Debian: knot, bind9-dnsutils)`;
  try {
    await installPackage('knot');
    await installPackage('bind9-dnsutils');
  } catch (error) {
    return `no knot, and apt-get failed: ${lastLine(error)}`;
  }
  return missing().length === 0 ? undefined : `the packages hold no ${missing().join(' and no ')}`;
}

export class Knot implements AsyncDisposable {
  readonly #port: number;
  readonly #directory: string;
  readonly #stop: () => Promise<void>;

  private constructor(port: number, directory: string, stop: () => Promise<void>) {
    this.#port = port;
    this.#directory = directory;
    this.#stop = stop;
  }

  static async start(): Promise<Knot> {
    const [port] = (await freePorts(1)) as [number];
    const directory = mkdtempSync(join(tmpdir(), 'evenkeel-knot-'));
    writeFileSync(join(directory, 'test.zone'), ZONE);
    writeFileSync(
      join(directory, 'knot.conf'),
      `
server:
  listen: 127.0.0.1@${port}
  rundir: ${directory}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: ${directory}
acl:
  - id: local
    address: 127.0.0.1
    action: update
zone:
  - domain: test
    storage: ${directory}
    file: test.zone
    acl: local
`,
    );
    const child = endWithUs(spawn('knotd', ['-c', join(directory, 'knot.conf')], { stdio: 'ignore' }));
    const exited = new Promise<void>((resolve) =>
      child.once('exit', () => resolve()).once('error', () => resolve()),
    );
    const stop = async () => {
      child.kill('SIGKILL');
      await exited;
      rmSync(directory, { recursive: true, force: true });
    };
    const knot = new Knot(port, directory, stop);
    const resolver = new dns.Resolver({ timeout: 500, tries: 1 });
    resolver.setServers([knot.address]);
    await eventually('knot answers', () =>
      resolver.resolve4('ns.test').then(
        () => true,
        () => false,
      ),
    );
    return knot;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Changes the zone: lines of nsupdate(1), `add a.test. 1 A 127.0.0.1` or `delete a.test. A`, in one transaction. */
  async update(...lines: string[]): Promise<void> {
    const commands = [
      `server 127.0.0.1 ${this.#port}`,
      'zone test.',
      ...lines.map((line) => `update ${line}`),
      'send',
    ];
    const child = endWithUs(
      spawn('nsupdate', ['-t', '10'], { stdio: ['pipe', 'ignore', 'pipe'], cwd: this.#directory }),
    );
    let said = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.stdin!.end(`${commands.join('\n')}\n`);
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`nsupdate: ${said.trim()}`);
  }

  close(): Promise<void> {
    return this.#stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
