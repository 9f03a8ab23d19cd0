import { type Browser, chromium as launcher, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureChromium } from '../../support/ensure-chromium.js';
import { startGateway } from '../support.js';

const executablePath = await ensureChromium((line) => console.error(line));

describe.skipIf(executablePath === undefined)('/docs in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    // As root, as in containers, it has no sandbox to be in.
    browser = await launcher.launch({ executablePath: executablePath!, args: ['--no-sandbox'] });
  });
  afterAll(() => browser.close());

  /** The page, once it shows its operations; it asks nobody but the gateway for anything. */
  async function open(url: string): Promise<{ page: Page; elsewhere: string[]; errors: string[] }> {
    const page = await browser.newPage();
    const elsewhere: string[] = [];
    const errors: string[] = [];
    page.on('request', (each) => {
      if (!each.url().startsWith(url) && !each.url().startsWith('data:')) elsewhere.push(each.url());
    });
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(`${url}/docs`);
    await page.locator('.opblock').first().waitFor();
    return { page, elsewhere, errors };
  }

  it('shows every operation, and lets calls be tried', async () => {
    const { url } = await startGateway({ docs: true });
    const { page, elsewhere, errors } = await open(url);
    await expect.poll(() => page.locator('.opblock').count()).toBe(12);
    expect(await page.locator('.opblock-tag').allInnerTexts()).toEqual([
      expect.stringContaining('test.gateway.v1.Shelf'),
      expect.stringContaining('test.gateway.v1.Streams'),
    ]);

    const operation = page.locator('.opblock', { hasText: '/v1/mirror/{text}' });
    await operation.locator('.opblock-summary').click();
    await operation.getByPlaceholder('text', { exact: true }).fill('a/b c');
    await operation.getByPlaceholder('anInt64', { exact: true }).fill('9007199254740993');
    await operation.getByRole('button', { name: 'Execute' }).click();
    const response = operation.locator('.live-responses-table .highlight-code code').first();
    await response.waitFor();
    expect(JSON.parse((await response.textContent())!)).toEqual({
      text: 'a/b c',
      anInt64: '9007199254740993',
    });

    expect(errors).toEqual([]);
    expect(elsewhere).toEqual([]);
  });
});
