import { describe, expect, it } from 'vitest';
import { authorityOf } from '../../src/base/authority.js';
import { endpointFrom } from '../../src/base/endpoint.js';

const of = (metadata: Record<string, string>) =>
  authorityOf(endpointFrom({ address: '10.0.0.1:1', metadata }, 'id'));

describe('the authority of an endpoint', () => {
  it('is what its metadata say, and without the port the name for TLS', () => {
    expect(of({ authority: 'greeter.example' })).toEqual({
      authority: 'greeter.example',
      serverName: 'greeter.example',
    });
    expect(of({ authority: 'greeter.example:443' })).toEqual({
      authority: 'greeter.example:443',
      serverName: 'greeter.example',
    });
    expect(of({ authority: '[::1]:443' })).toEqual({ authority: '[::1]:443', serverName: '::1' });
  });

  it('is none without, and for what is no host', () => {
    expect(of({})).toBeUndefined();
    for (const authority of [
      '',
      ':1',
      'a b',
      'a/b',
      'user@host',
      'a:0',
      'a:99999',
      'a\r\nx: y',
      '::1',
      'bücher.example',
    ]) {
      expect(of({ authority }), JSON.stringify(authority)).toBeUndefined();
    }
  });
});
