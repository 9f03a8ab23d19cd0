import { defineConfig } from 'vitest/config';

/**
 * The pure code: no I/O, no timer, no chance of its own. What of `registry/etcd` is not here talks to etcd3 or grpc-js itself
 * (connect, etcd3/, failover, leases, registrar, registry), and is tested against real etcds.
 */
export const pureCode = [
  'src/base/*.ts',
  'src/balancer/{pickers,table,core}/*.ts',
  'src/registry/*.ts',
  'src/registry/etcd/{codec,hosts,patience,reader,session,settings,signs-of-life,snapshot,token,watch-loop}.ts',
];

/** The suites of pure code alone, for `npm run mutation` and `npm run coverage:pure`: some seconds, no server, no etcd. */
export default defineConfig({
  test: {
    include: [
      'test/base/*.test.ts',
      'test/balancer/{pickers,table,core}/*.test.ts',
      'test/registry/*.test.ts',
      'test/registry/etcd/{codec,hosts,patience,reader,session,settings,snapshot,token,watch-loop}.test.ts',
    ],
    // Measures the heap, which no mutant of a rule changes: a third of the time of all suites.
    testNamePattern: /^(?!.*grows neither with the calls)/,
    setupFiles: ['test/support/fewer-runs.ts'],
    testTimeout: 30_000,
    isolate: false,
    coverage: {
      include: pureCode,
      reporter: ['text', 'html', 'json-summary'],
      thresholds: Object.fromEntries(pureCode.map((files) => [files, { branches: 95 }])),
    },
  },
});
