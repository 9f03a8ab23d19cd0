import { describe, expect, it } from 'vitest';
import { isKeyOf, servicePrefix } from '../../src/registry/keys.js';

describe('servicePrefix', () => {
  it('joins prefix and service, whatever slashes the prefix has around it', () => {
    expect(servicePrefix({ prefix: 'etcdv3_resolver' }, 'hello')).toBe('/etcdv3_resolver/hello/');
    expect(servicePrefix({ prefix: '/a/b/' }, 'hello.Greeter')).toBe('/a/b/hello.Greeter/');
    expect(servicePrefix({ prefix: '' }, 'team/hello')).toBe('/team/hello/');
    expect(servicePrefix({ prefix: '', leadingSlash: false }, 'greet.rpc')).toBe('greet.rpc/');
    expect(servicePrefix({ prefix: 'p', leadingSlash: false }, 'greet')).toBe('p/greet/');
  });

  it.each(['', '/', '/a', 'a/', 'a//b'])('refuses %j as a service', (service) => {
    expect(() => servicePrefix({ prefix: 'p' }, service)).toThrow(JSON.stringify(service));
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
