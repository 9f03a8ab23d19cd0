// Whatever README and docs show is compiled, run, or held against what the programs know.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Program } from '../cli/program.js';

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'bench/README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };

/** The lines of shell that the pages show, with where they stand. */
const commands = pages.flatMap((page) =>
  [...readFileSync(page, 'utf8').matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block]) =>
    block!
      .split('\n')
      .flatMap((line) => line.replace(/\s+#.*$/, '').split(' && '))
      .map((command) => command.trim())
      .filter((command) => command !== '')
      .map((command) => ({ page, command })),
  ),
);

/** What `evenkeel` does for a command: `npx evenkeel gateway ...`, or a script that is the same. */
function programArguments(command: string): string[] | undefined {
  const words = command.split(/\s+/);
  if (words[0] === 'npx' && words[1] === 'evenkeel') return words.slice(2);
  const [, script] = /^npm run (\S+)/.exec(command) ?? [];
  const program = script && /dist\/src\/cli\/main\.js (\S+)$/.exec(scripts[script] ?? '');
  return program ? [program[1]!, ...words.slice(3)] : undefined;
}

describe('the code on the pages', () => {
  it('is what stands in files that are compiled', () => {
    expect(execFileSync(process.execPath, ['scripts/readme.js', '--check'], { encoding: 'utf8' })).toBe('');
  });

  it.each(commands.filter(({ command }) => command.startsWith('npm run ')))(
    '$page: `$command` is a script there is',
    ({ command }) => {
      expect(Object.keys(scripts)).toContain(/^npm run (\S+)/.exec(command)![1]);
    },
  );

  it('has programs, with options that they know', async () => {
    const shown = commands.flatMap(({ command }) => programArguments(command) ?? []);
    expect(shown).toContain('gateway');
    const helps = new Map<string, string>();
    for (const { page, command } of commands) {
      const args = programArguments(command);
      if (args === undefined) continue;
      const [name = ''] = args;
      if (!helps.has(name)) {
        const help = new Program(name, '--help');
        expect(await help.exited, `${page}: ${command}`).toBe(0);
        helps.set(name, help.out.join('\n'));
      }
      for (const [option] of command.matchAll(/(?<= )--[a-z][a-z-]*/g)) {
        expect(helps.get(name), `${page}: ${command}`).toMatch(new RegExp(`${option}\\b`));
      }
    }
  });

  it('has a scenario and a picker that run', async () => {
    const program = new Program(
      'simulate',
      'examples/simulator/scenario.json',
      ...['--picker', 'round-robin', './examples/pickers/my-picker.js', '--seeds', '1'],
    );
    expect(await program.exited, program.err.join('\n')).toBe(0);
    expect(program.out.join('\n')).toMatch(/^my-picker /m);
  });
});
