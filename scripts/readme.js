// Copies the examples into the README, or, with --check, fails when they are not there word for word.
import { readFileSync, writeFileSync } from 'node:fs';

const README = 'README.md';
const before = readFileSync(README, 'utf8');
const after = before.replace(
  /(<!-- (\S+\.ts) -->\n```ts\n)[\s\S]*?(```)/g,
  (_, open, path, close) => `${open}${readFileSync(path, 'utf8')}${close}`,
);
if (process.argv.includes('--check')) {
  if (before !== after) {
    console.error(`${README} does not show the examples as they are: run "npm run readme"`);
    process.exitCode = 1;
  }
} else {
  writeFileSync(README, after);
}
