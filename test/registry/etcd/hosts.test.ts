import { describe, expect, it } from 'vitest';
import { parseHosts } from '../../../src/registry/etcd/hosts.js';

describe('parseHosts', () => {
  it.each([
    ['localhost', 'http://localhost:2379'],
    ['localhost:1234', 'http://localhost:1234'],
    ['http://localhost:1234/', 'http://localhost:1234'],
    ['HTTP://example.org', 'http://example.org:2379'],
    ['http://[::1]:2379', 'http://[::1]:2379'],
    ['[::1]', 'http://[::1]:2379'],
    [' 10.0.0.1:1 ', 'http://10.0.0.1:1'],
  ])('reads %j', (text, url) => {
    expect(parseHosts(text, false)).toEqual({ urls: [url], secure: false });
  });

  it('reads a list, in a text or in an array', () => {
    const urls = ['https://a:2379', 'https://b:1'];
    expect(parseHosts('https://a, https://b:1', false)).toEqual({ urls, secure: true });
    expect(parseHosts(['https://a', 'https://b:1'], false)).toEqual({ urls, secure: true });
  });

  it('takes hosts without a scheme over TLS where there is TLS', () => {
    expect(parseHosts('a,https://b', true)).toEqual({
      urls: ['https://a:2379', 'https://b:2379'],
      secure: true,
    });
  });

  it.each([
    ['', /etcd host "" is not host:port/],
    ['a,,b', /etcd host "" is not/],
    ['http://', /"http:\/\/" is not/],
    ['ftp://a:1', /"ftp:\/\/a:1" is not/],
    ['a:0', /"a:0" is not/],
    ['a:99999', /"a:99999" is not/],
    ['http://a:1/path', /"http:\/\/a:1\/path" is not/],
    ['::1', /"::1" is not/],
    ['http://a,https://b', /mix http and https: http:\/\/a:2379 and https:\/\/b:2379/],
  ])('refuses %j', (text, message) => {
    expect(() => parseHosts(text, false)).toThrow(message);
    expect(() => parseHosts(text, false)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  it.each([5, null, undefined, {}, ['a', 5]])('refuses %j', (hosts) => {
    expect(() => parseHosts(hosts as never, false)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: '`hosts` of etcd is no string, and no array of strings',
      }),
    );
  });

  it('refuses an empty list', () => {
    expect(() => parseHosts([], false)).toThrow(/no etcd host is given/);
  });

  it.each([
    'http://root:secret@a:1',
    'http://root:secret,word@a:1',
    'http://root:sec/ret@a:1',
    'a,root:secret@b',
  ])('refuses a user in %j, and does not repeat what may be a password', (text) => {
    expect(() => parseHosts(text, false)).toThrow(/^(?!.*sec).*`auth`/);
  });
});
