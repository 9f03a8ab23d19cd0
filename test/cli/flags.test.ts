import { describe, expect, it } from 'vitest';
import { parseEtcdHosts, parseHost, parseIntervalMs, parsePort } from '../../src/cli/flags.js';

describe('parsePort', () => {
  it.each([
    ['0', 0],
    ['50001', 50_001],
    ['65535', 65_535],
  ])('takes %s', (text, port) => {
    expect(parsePort(text)).toBe(port);
  });

  it.each(['', 'abc', '-1', '70000', '65536', '1.5', '1e3', ' 1', '0x10'])('refuses %j', (text) => {
    expect(() => parsePort(text)).toThrow(/whole number from 0 to 65535/);
  });
});

describe('parseIntervalMs', () => {
  it('takes whole milliseconds', () => {
    expect(parseIntervalMs('1000')).toBe(1_000);
  });

  it.each(['0', '-5', 'NaN', 'Infinity', '1.5', '', '2147483648'])('refuses %j', (text) => {
    expect(() => parseIntervalMs(text)).toThrow(/whole number of milliseconds from 1/);
  });
});

describe('parseHost', () => {
  it.each([
    ['localhost', 'localhost'],
    ['10.0.0.1', '10.0.0.1'],
    ['::1', '::1'],
    ['[::1]', '::1'],
  ])('takes %s', (text, host) => {
    expect(parseHost(text)).toBe(host);
  });

  it.each(['', 'a:b', 'localhost:1', 'http://a', 'a b'])('refuses %j', (text) => {
    expect(() => parseHost(text)).toThrow(/host name or an IP address/);
  });
});

describe('parseEtcdHosts', () => {
  it('takes one or several', () => {
    expect(parseEtcdHosts('http://localhost:2379')).toEqual(['http://localhost:2379']);
    expect(parseEtcdHosts('a:1, http://[::1]:2')).toEqual(['http://a:1', 'http://[::1]:2']);
  });

  it('names the flag in what it refuses, and prints no password', () => {
    expect(() => parseEtcdHosts('ftp://a:1')).toThrow(/'--reg <urls>'.*"ftp:\/\/a:1"/);
    expect(() => parseEtcdHosts('http://user:hunter2@a:1')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    );
  });
});
