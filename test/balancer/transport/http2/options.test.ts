import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { settingsFrom } from '../../../../src/balancer/transport/http2/options.js';

it('says in the user agent which version it is', () => {
  const text = readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  expect(settingsFrom({}).userAgent).toBe(`grpc-node-evenkeel/${version}`);
  const channelOptions = { 'grpc.primary_user_agent': 'mine/1', 'grpc.secondary_user_agent': 'more' };
  expect(settingsFrom({ channelOptions }).userAgent).toBe(`mine/1 grpc-node-evenkeel/${version} more`);
});
