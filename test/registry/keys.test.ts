import { describe, expect, it } from 'vitest';
import { isKeyOf, servicePrefix } from '../../src/registry/keys.js';

describe('servicePrefix', () => {
  it('joins prefix and service, whatever slashes the prefix has around it', () => {
    expect(servicePrefix('etcdv3_resolver', 'hello')).toBe('/etcdv3_resolver/hello/');
    expect(servicePrefix('/a/b/', 'hello.Greeter')).toBe('/a/b/hello.Greeter/');
    expect(servicePrefix('', 'team/hello')).toBe('/team/hello/');
  });

  it.each(['', '/', '/a', 'a/', 'a//b'])('refuses %j as a service', (service) => {
    expect(() => servicePrefix('p', service)).toThrow(JSON.stringify(service));
  });
});

describe('isKeyOf', () => {
  it('holds for keys of the service itself', () => {
    expect(isKeyOf('/p/a/', '/p/a/h:1')).toBe(true);
    expect(isKeyOf('/p/a/', '/p/a/unix:/run/x')).toBe(true);
    expect(isKeyOf('/p/a/', '/p/a/b/h:1')).toBe(false);
    expect(isKeyOf('/p/a/', '/p/ab/h:1')).toBe(false);
    expect(isKeyOf('/p/a/', '/q/a/h:1')).toBe(false);
  });
});
