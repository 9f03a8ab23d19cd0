import { findProgram } from './debian.js';

/** A Chromium to look at pages with: of $CHROMIUM_BIN or PATH; undefined where there is none. */
export function findChromium(): string | undefined {
  if (process.env.CHROMIUM_BIN) return process.env.CHROMIUM_BIN;
  const names = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];
  return names.map(findProgram).find((path) => path !== undefined);
}
