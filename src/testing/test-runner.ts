/** What of a test runner the suites need: vitest, jest, mocha and node:test all have it. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  /** A body that returns a promise is a test that ends when the promise does. */
  it(name: string, body: () => void | Promise<void>): unknown;
}

/**
 * The runner whose functions are global, as jest's and mocha's are.
 *
 * @throws Error when there is none.
 */
export function globalRunner(): TestRunner {
  const { describe, it } = globalThis as Partial<TestRunner>;
  if (describe === undefined || it === undefined) {
    throw new Error(
      'there is no global describe and it: pass those of your test runner as the last argument',
    );
  }
  return { describe, it };
}
