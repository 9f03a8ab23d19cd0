import { pureCode } from './vitest.pure.config.js';

/**
 * Mutation testing of the pure code: `npm run mutation`, or one part of it with
 * `npm run mutation -- --mutate 'src/balancer/pickers/**'`. What came of it is in docs/testing.md.
 *
 * @type {import('@stryker-mutator/api/core').PartialStrykerOptions}
 */
export default {
  mutate: pureCode,
  // Stryker would rewrite paths in it, by an API that TypeScript 7 has no more; there are none to rewrite.
  tsconfigFile: 'none',
  testRunner: 'vitest',
  vitest: { configFile: 'vitest.pure.config.js' },
  concurrency: 2,
  // A mutant that never ends is killed by this, on top of half as long again as its tests take.
  timeoutMS: 5_000,
  ignorePatterns: ['/bench', '/dist', '/docs', '/examples', '/observability', '/reports'],
  reporters: ['clear-text', 'progress', 'json', 'html'],
  clearTextReporter: { logTests: false, reportTests: false },
  jsonReporter: { fileName: 'reports/mutation/mutation.json' },
  htmlReporter: { fileName: 'reports/mutation/mutation.html' },
  tempDirName: 'reports/.stryker',
  thresholds: { high: 95, low: 85, break: 85 },
};
