import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // So that a test that hangs ends one day, and for nothing else: a machine may be as slow as it likes.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
    // Real etcds and servers share two cores: three workers are a minute faster, and make each other late now and then.
    maxWorkers: 2,
    // To load everything anew for each file took a third of the time. So none may leave anything behind: no mock of a
    // module, no spy on a global.
    isolate: false,
    // Of what runs in this process: servers and programs that tests start as processes of their own are not seen.
    coverage: { include: ['src/**'], reporter: ['text', 'html', 'json-summary'] },
  },
});
