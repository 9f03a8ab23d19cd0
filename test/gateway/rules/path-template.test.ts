import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePathTemplate, type Segment } from '../../../src/gateway/rules/path-template.js';
import { Router } from '../../../src/gateway/rules/router.js';

const literal = (text: string): Segment => ({ kind: 'literal', text });
const any: Segment = { kind: 'any' };
const rest: Segment = { kind: 'rest' };

describe('parsePathTemplate', () => {
  it.each<[string, Segment[], (string | undefined)?, Record<string, [number, number]>?]>([
    ['/', []],
    ['/v1', [literal('v1')]],
    ['/v1/messages', [literal('v1'), literal('messages')]],
    ['/v1/*', [literal('v1'), any]],
    ['/*/*', [any, any]],
    ['/**', [rest]],
    ['/v1/**', [literal('v1'), rest]],
    ['/v1:custom', [literal('v1')], 'custom'],
    ['/v1/*:custom', [literal('v1'), any], 'custom'],
    ['/v1/**:custom', [literal('v1'), rest], 'custom'],
    ['/{id}', [any], undefined, { id: [0, 1] }],
    ['/v1/{id}', [literal('v1'), any], undefined, { id: [1, 2] }],
    ['/v1/{id=*}', [literal('v1'), any], undefined, { id: [1, 2] }],
    ['/v1/{a.b.c}', [literal('v1'), any], undefined, { 'a.b.c': [1, 2] }],
    ['/v1/{id}:verb', [literal('v1'), any], 'verb', { id: [1, 2] }],
    ['/v1/{name=messages/*}', [literal('v1'), literal('messages'), any], undefined, { name: [1, 3] }],
    ['/v1/{name=**}', [literal('v1'), rest], undefined, { name: [1, 2] }],
    ['/v1/{name=files/**}:get', [literal('v1'), literal('files'), rest], 'get', { name: [1, 3] }],
    [
      '/v1/{a=x/*}/y/{b}/{c=z}',
      [literal('v1'), literal('x'), any, literal('y'), any, literal('z')],
      undefined,
      { a: [1, 3], b: [4, 5], c: [5, 6] },
    ],
    ['/v1/**/x', [literal('v1'), rest, literal('x')]],
    ['/v1/{a=**}/x/{b}', [literal('v1'), rest, literal('x'), any], undefined, { a: [1, 2], b: [3, 4] }],
    ['/v1/{a=x/**/y}:z', [literal('v1'), literal('x'), rest, literal('y')], 'z', { a: [1, 4] }],
    ['/v1/{id}:a:b', [literal('v1'), any], 'a:b', { id: [1, 2] }],
    ['/v1/*:a:b', [literal('v1'), any], 'a:b'],
    ['/v1/**:a:b', [literal('v1'), rest], 'a:b'],
    ['/v1/x:a:b', [literal('v1'), literal('x:a')], 'b'],
    ['/helloworld.Greeter/SayHello', [literal('helloworld.Greeter'), literal('SayHello')]],
    ['/a:b/c', [literal('a:b'), literal('c')]],
    ['/a%20b/~x', [literal('a b'), literal('~x')]],
    ['/x_y-z.1/{_f1}', [literal('x_y-z.1'), any], undefined, { _f1: [1, 2] }],
  ])('reads %s', (source, segments, verb, variables = {}) => {
    const template = parsePathTemplate(source);
    expect(template.segments).toEqual(segments);
    expect(template.verb).toBe(verb);
    const bound = template.variables.map(({ fieldPath, start, end }) => [fieldPath.join('.'), [start, end]]);
    expect(Object.fromEntries(bound)).toEqual(variables);
  });

  it.each([
    ['', 'lacks a "/"'],
    ['v1/messages', 'lacks a "/"'],
    ['//', 'lacks a segment'],
    ['/v1/', 'lacks a segment'],
    ['/v1//messages', 'lacks a segment'],
    [':verb', 'lacks a "/"'],
    ['/:verb', 'lacks a segment'],
    ['/v1:', 'lacks a verb'],
    ['/v1/*:', 'has ":" where a "/" must be'],
    ['/v1/{id}:', 'has ":" where a "/" must be'],
    ['/v1/{id', 'lacks a "}"'],
    ['/v1/id}', 'has "}" where a "/" must be'],
    ['/v1/{}', 'lacks the name of a field'],
    ['/v1/{=*}', 'lacks the name of a field'],
    ['/v1/{id=}', 'lacks a segment'],
    ['/v1/{id=/a}', 'lacks a segment'],
    ['/v1/{id=a/}', 'lacks a segment'],
    ['/v1/{a.}', 'lacks the name of a field'],
    ['/v1/{.a}', 'lacks the name of a field'],
    ['/v1/{1a}', 'lacks the name of a field'],
    ['/v1/{a-b}', 'lacks a "}"'],
    ['/v1/{a={b}}', 'has a variable inside another'],
    ['/v1/{a}{b}', 'has "{" where a "/" must be'],
    ['/v1/x{a}', 'has "{" where a "/" must be'],
    ['/v1/{a}x', 'has "x" where a "/" must be'],
    ['/v1/*x', 'has "x" where a "/" must be'],
    ['/v1/***', 'has "*" where a "/" must be'],
    ['/v1/**/**', 'has "**" twice'],
    ['/v1/{a=**}/x/{b=**}', 'has "**" twice'],
    ['/v1/{id}:a:', 'has ":" where a "/" must be'],
    ['/v1/{a}/{a}', 'has {a} twice'],
    ['/v1/a b', 'has " " where a "/" must be'],
    ['/v1/a?b', 'has "?" where a "/" must be'],
    ['/v1/%zz', 'lacks a segment'],
    ['/v1/%ff', 'no percent-encoded UTF-8'],
  ])('refuses %j: it %s', (source, reason) => {
    expect(() => parsePathTemplate(source)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(reason) }),
    );
    expect(() => parsePathTemplate(source)).toThrow(JSON.stringify(source));
  });
});

function routerOf(...templates: string[]): Router<string> {
  const router = new Router<string>();
  for (const template of templates) {
    const [method, path] = template.includes(' ')
      ? (template.split(' ') as [string, string])
      : ['GET', template];
    expect(router.add(method, parsePathTemplate(path), template)).toBeUndefined();
  }
  return router;
}

const matchOf = (router: Router<string>, path: string, method = 'GET') => {
  const found = router.find(method, path);
  return found.kind === 'match' ? found.target : found.kind;
};

describe('Router', () => {
  it.each([
    // One template, and paths that it does or does not match.
    [
      '/v1/a',
      { '/v1/a': true, '/v1': false, '/v1/a/': false, '/v1/a/b': false, '/v1/A': false, '/v1/%61': true },
    ],
    ['/', { '/': true, '/a': false }],
    ['/*', { '/a': true, '/': false, '/a/b': false, '/a%2Fb': true }],
    ['/v1/*', { '/v1/a': true, '/v1/': false, '/v1': false }],
    ['/**', { '/': true, '/a': true, '/a/b/c': true, '/a//b/': true }],
    ['/v1/**', { '/v1': true, '/v1/': true, '/v1/a': true, '/v1/a/b': true, '/v2': false }],
    ['/v1/**:get', { '/v1:get': true, '/v1/a/b:get': true, '/v1/a/b': false, '/v1/a/b:put': false }],
    [
      '/v1/{a}:x',
      { '/v1/a:x': true, '/v1/a:b:x': true, '/v1/:x': false, '/v1/a': false, '/v1/a%3Ax': false },
    ],
    ['/v1/{a}', { '/v1/a:x': true, '/v1/a': true }],
    ['/v1/{a}:x:y', { '/v1/a:x:y': true, '/v1/b:a:x:y': true, '/v1/a:y': false, '/v1/a:x': false }],
    ['/v1/x:a:b', { '/v1/x:a:b': true, '/v1/x:b': false }],
    [
      '/v1/**/x',
      { '/v1/x': true, '/v1/a/x': true, '/v1/a/x/x': true, '/v1//x': true, '/v1/a': false, '/v1/x/a': false },
    ],
    ['/v1/{n=**}/x/{b}', { '/v1/x/b': true, '/v1/a/x/b': true, '/v1/x/x/x': true, '/v1/a/x/': false }],
    ['/**/x:go', { '/x:go': true, '/a/b/x:go': true, '/a/x': false }],
    ['/v1/{n=a/*/b}', { '/v1/a/x/b': true, '/v1/a/x': false, '/v1/a//b': false, '/v1/a/x/b/c': false }],
    ['/a%20b', { '/a%20b': true, '/a+b': false }],
  ])('%s', (template, paths) => {
    const router = routerOf(template);
    const found = Object.keys(paths).map((path) => [path, matchOf(router, path) === template]);
    expect(Object.fromEntries(found)).toEqual(paths);
  });

  it('prefers literals to *, * to **, and verbs to segments with a colon, from the left', () => {
    const router = routerOf(
      '/v1/a/*',
      '/v1/*/b',
      '/v1/**',
      '/v1/*',
      '/v1/*:go',
      '/v1/a/b/**',
      '/**',
      '/v1/**:go',
    );
    expect(matchOf(router, '/v1/a/b')).toBe('/v1/a/b/**');
    expect(matchOf(router, '/v1/a/c')).toBe('/v1/a/*');
    expect(matchOf(router, '/v1/x/b')).toBe('/v1/*/b');
    expect(matchOf(router, '/v1/x/c')).toBe('/v1/**');
    expect(matchOf(router, '/v1/x')).toBe('/v1/*');
    expect(matchOf(router, '/v1/x:go')).toBe('/v1/*:go');
    expect(matchOf(router, '/v1/x:stop')).toBe('/v1/*');
    expect(matchOf(router, '/v1/x/y:go')).toBe('/v1/**:go');
    expect(matchOf(router, '/v2')).toBe('/**');
  });

  it('prefers, of templates that begin with **, the one with more behind it; of verbs, the longer', () => {
    const router = routerOf('/v1/**', '/v1/**/b', '/v1/**/a/b', '/v1/**/a/*', '/v1/*:b', '/v1/*:a:b');
    expect(matchOf(router, '/v1/x/a/b')).toBe('/v1/**/a/b');
    expect(matchOf(router, '/v1/x/y/b')).toBe('/v1/**/b');
    expect(matchOf(router, '/v1/x/a/c')).toBe('/v1/**/a/*');
    expect(matchOf(router, '/v1/x/c')).toBe('/v1/**');
    expect(matchOf(router, '/v1/x:a:b')).toBe('/v1/*:a:b');
    expect(matchOf(router, '/v1/x:c:b')).toBe('/v1/*:b');
  });

  it('takes no long time over a path of colons', () => {
    const router = routerOf('/v1/*:b', '/v1/**/x:a:b');
    expect(matchOf(router, `/v1/${':'.repeat(1_000_000)}`)).toBe('none');
  });

  it('finds a route behind a better one that has another method, and says which methods there are', () => {
    const router = routerOf('POST /v1/a', 'GET /v1/*', 'DELETE /v1/**', '* /any/{x}', 'PUT /any/{x}');
    expect(matchOf(router, '/v1/a', 'POST')).toBe('POST /v1/a');
    expect(matchOf(router, '/v1/a', 'GET')).toBe('GET /v1/*');
    expect(matchOf(router, '/v1/a', 'HEAD')).toBe('GET /v1/*');
    expect(router.find('PATCH', '/v1/a')).toEqual({
      kind: 'method',
      allow: ['DELETE', 'GET', 'HEAD', 'POST'],
    });
    expect(matchOf(router, '/any/1', 'PUT')).toBe('PUT /any/{x}');
    expect(matchOf(router, '/any/1', 'PURGE')).toBe('* /any/{x}');
    expect(matchOf(router, '/v2', 'GET')).toBe('none');
  });

  it.each([
    ['/v1/{a}', '/v1/{b}'],
    ['/v1/{a}', '/v1/*'],
    ['/v1/{a=x/*}', '/v1/x/{b}'],
    ['/v1/{a=**}', '/v1/**'],
    ['/v1/{a}:x', '/v1/{b}:x'],
    ['/v1/a', '/v1/%61'],
  ])('tells that %s and %s are the same', (first, second) => {
    const router = routerOf(first);
    expect(router.add('GET', parsePathTemplate(second), second)).toBe(first);
    expect(router.add('POST', parsePathTemplate(second), second)).toBeUndefined();
  });

  it('throws at what is no percent-encoded UTF-8', () => {
    expect(() => routerOf('/*').find('GET', '/%ff')).toThrow(URIError);
  });

  it('finds what a naive matcher finds', () => {
    const word = fc.constantFrom('a', 'b', 'c');
    const segment = fc.oneof({ weight: 3, arbitrary: word }, fc.constant('*'));
    const template = fc
      .tuple(
        fc.array(segment, { maxLength: 4 }),
        fc.option(fc.array(segment, { maxLength: 3 }), { nil: undefined }),
        fc.constantFrom('', ':x', ':y'),
      )
      .map(([segments, tail, verb]) => {
        const all = tail || segments.length === 0 ? [...segments, '**', ...(tail ?? [])] : segments;
        // A colon behind a wildcard begins the verb, which may then have two.
        return `/${all.join('/')}${verb}${verb !== '' && /\*$/.test(all.at(-1)!) ? ':z' : ''}`;
      });
    const path = fc
      .tuple(
        fc.array(word, { minLength: 1, maxLength: 5 }),
        fc.constantFrom('', ':x', ':y', ':z', ':x:z', ':y:z'),
      )
      .map(([segments, verb]) => `/${segments.join('/')}${verb}`);
    const matches = (source: string, at: string) => {
      const pattern = source.replace(/\/\*\*/g, '(?:/.*)?').replace(/\/\*(?!\))/g, '/[^/]+');
      return new RegExp(`^${pattern}$`).test(at);
    };
    fc.assert(
      fc.property(fc.uniqueArray(template, { minLength: 1, maxLength: 8 }), path, (templates, at) => {
        const found = matchOf(routerOf(...templates), at);
        const naive = templates.filter((source) => matches(source, at));
        // Which of several is what the other tests say; that there is one, and that it matches, is what this one does.
        if (naive.length === 0) expect(found).toBe('none');
        else expect(naive).toContain(found);
      }),
      { numRuns: 2_000 },
    );
  });
});
