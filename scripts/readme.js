// Copies the examples into the pages that show them, or, with --check, fails when they are not there word for word.
//
// A page marks a block of code by the file that holds it, `<!-- examples/gateway/main.ts -->`, or by a region of one,
// `<!-- examples/calls/three-ways.ts#stub -->`: what stands between `// #region stub` and `// #endregion`. A block of code
// without a mark is an error: nobody compiles it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const BLOCK = /(?:<!-- ([^\s#]+)(?:#(\S+))? -->\n)?```(ts|js|json|yaml)\n([\s\S]*?)^```$/gm;
const wrong = [];

for (const page of pages) {
  const before = readFileSync(page, 'utf8');
  const after = before.replace(BLOCK, (block, path, region, language, shown, at) => {
    if (path === undefined) {
      const line = before.slice(0, at).split('\n').length;
      wrong.push(`${page}:${line} shows code that is in no file: mark it with the file that holds it`);
      return block;
    }
    return block.replace(`\`\`\`${language}\n${shown}`, () => `\`\`\`${language}\n${read(path, region)}`);
  });
  if (before === after) continue;
  if (process.argv.includes('--check')) {
    wrong.push(`${page} does not show the examples as they are: run "npm run readme"`);
  } else writeFileSync(page, after);
}
for (const line of wrong) console.error(line);
if (wrong.length > 0) process.exitCode = 1;

function read(path, region) {
  const text = readFileSync(path, 'utf8');
  if (region === undefined) return text;
  const lines = text.split('\n');
  const from = lines.findIndex((line) => line.trim() === `// #region ${region}`);
  const to = lines.findIndex((line, at) => at > from && line.trim() === '// #endregion');
  if (from < 0 || to < 0) throw new Error(`${path} has no region ${region}`);
  const indent = lines[from].search(/\S/);
  return lines
    .slice(from + 1, to)
    .map((line) => `${line.slice(indent)}\n`)
    .join('');
}
