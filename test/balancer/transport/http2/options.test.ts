import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { settingsFrom } from '../../../../src/balancer/transport/http2/options.js';

it('says in the user agent which version it is', () => {
  const text = readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  expect(settingsFrom({}).userAgent).toBe(`grpc-node-evenkeel/${version}`);
  const channelOptions = { 'grpc.primary_user_agent': 'mine/1', 'grpc.secondary_user_agent': 'more' };
  expect(settingsFrom({ channelOptions }).userAgent).toBe(`mine/1 grpc-node-evenkeel/${version} more`);
});

describe('text that goes into every request', () => {
  it.each([
    'grpc.primary_user_agent',
    'grpc.secondary_user_agent',
    'grpc.default_authority',
    'grpc.ssl_target_name_override',
  ])('%s is printable ASCII', (name) => {
    for (const value of ['a\r\nb', 'a\0', 'caf\u00e9', '\u4e2d', 7, null]) {
      expect(() => settingsFrom({ channelOptions: { [name]: value } })).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(`["${name}"]`) }),
      );
    }
    expect(() => settingsFrom({ channelOptions: { [name]: 'host.example:443' } })).not.toThrow();
  });

  it('is no name where it is empty or has spaces', () => {
    for (const value of ['', 'a b'])
      expect(() => settingsFrom({ channelOptions: { 'grpc.default_authority': value } })).toThrow(
        'must be printable ASCII without spaces',
      );
  });
});
