import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { image } from '../../../test/support/image.js';
import type { Run } from '../../support/program.js';
import { type Command, required, runCommand } from '../support/command.js';
import { cacheFolder, inProject } from '../support/places.js';
import { type Peer, type Start, TLS_FILES, type Without } from './peer.js';
import { PeerProcess } from './process.js';

/** A server whose sources are in `bench/interop/NAME`, and how it is built in a copy of that folder, and started there. */
interface Sources {
  readonly name: string;
  readonly without?: Without;
  /** Programs that it takes. */
  readonly tools: readonly string[];
  build(folder: string): readonly Command[];
  start(folder: string): Command;
}

/** What a folder gets when its build is over. */
const BUILT = '.built';

const SERVERS: readonly Sources[] = [
  {
    name: 'grpc-go',
    tools: ['go'],
    build: (cwd) => [{ program: 'go', args: ['build', '-o', 'server', '.'], cwd }],
    start: (folder) => ({ program: join(folder, 'server'), args: [] }),
  },
  {
    name: 'grpcio',
    without: {
      'graceful stop': {
        why: 'a Python server that stops answers the calls that come meanwhile with CANCELLED, before its GOAWAY is read',
      },
    },
    tools: ['python3'],
    build: (cwd) => [
      { program: 'python3', args: ['-m', 'venv', 'venv'], cwd },
      { program: join(cwd, 'venv/bin/pip'), args: ['install', '-q', '-r', 'requirements.txt'], cwd },
    ],
    start: (folder) => ({ program: join(folder, 'venv/bin/python'), args: [join(folder, 'server.py')] }),
  },
  {
    name: 'tonic',
    tools: ['cargo'],
    build: (cwd) => [
      { program: 'cargo', args: ['build', '--quiet'], cwd, env: { ECHO_PROTO: inProject('proto') } },
    ],
    start: (folder) => ({ program: join(folder, 'target/debug/evenkeel-interop-tonic'), args: [] }),
  },
  {
    name: 'grpc-java',
    tools: ['mvn', 'java'],
    build: (cwd) => [{ program: 'mvn', args: ['-q', '-B', 'package', 'dependency:copy-dependencies'], cwd }],
    start: (folder) => ({
      program: 'java',
      args: ['-cp', `${join(folder, 'target/classes')}:${join(folder, 'target/dependency')}/*`, 'Echo'],
    }),
  },
];

/** grpc-js is a dependency of the project, and so is there. */
export const grpcJs: Peer = {
  name: 'grpc-js',
  prepare: () =>
    starting({ program: process.execPath, args: [inProject('dist/bench/interop/grpc-js/server.js')] }),
};

export const servers: readonly Peer[] = [
  grpcJs,
  ...SERVERS.map(
    ({ name, without = {}, ...sources }): Peer => ({
      name,
      without,
      prepare: async (run) => starting(sources.start(await built(name, sources, run))),
    }),
  ),
];

/** How a server is started that is told of its descriptors and certificates on its command line. */
async function starting(command: Command): Promise<Start> {
  const descriptors = join(await cacheFolder('descriptors'), 'project.binpb');
  await writeFile(descriptors, image('project'));
  return async (tls, signal) => {
    const files = tls ? [TLS_FILES.certificate, TLS_FILES.key] : [];
    const server = new PeerProcess({ ...command, args: [...command.args, descriptors, ...files] });
    try {
      const address = await server.listening(signal);
      return { address, process: server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
    } catch (thrown) {
      await server[Symbol.asyncDispose]();
      throw thrown;
    }
  };
}

/** The folder with what was built of these very sources, now or before. */
async function built(
  name: string,
  { tools, build }: Pick<Sources, 'tools' | 'build'>,
  run: Run,
): Promise<string> {
  const sources = inProject(join('bench/interop', name));
  const folder = await cacheFolder(join(name, await fingerprint(sources)));
  if (existsSync(join(folder, BUILT))) return folder;
  for (const tool of tools) required(tool);
  run.progress(`building ${name}`);
  const began = performance.now();
  await cp(sources, folder, { recursive: true });
  for (const command of build(folder)) await runCommand(command, run.signal);
  await writeFile(join(folder, BUILT), '');
  run.say(`built     ${name}: ${((performance.now() - began) / 1_000).toFixed(0)} s`);
  return folder;
}

async function fingerprint(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const path of paths.sort()) hash.update(path.slice(folder.length)).update(await readFile(path));
  return hash.digest('hex').slice(0, 12);
}
