import { create, getOption, setExtension } from '@bufbuild/protobuf';
import { describe, expect, it, onTestFinished } from 'vitest';
import { http } from '../../../generated/google/api/annotations_pb.js';
import { HttpRuleSchema } from '../../../generated/google/api/http_pb.js';
import { Pool } from '../../../src/balancer/pool/pool.js';
import { routesOf } from '../../../src/gateway/http/routes.js';
import { type GatewayService, readDescriptors } from '../../../src/gateway/index.js';
import { staticRegistry } from '../../../src/registry/static.js';
import { bytesOf, set } from '../descriptors/service-set.js';

function served(services: Parameters<typeof set>[0], names?: readonly string[]): GatewayService {
  const pool = new Pool({ registry: staticRegistry(['127.0.0.1:1']), service: 'any' });
  onTestFinished(() => pool.close());
  return { pool, descriptors: readDescriptors(bytesOf(set(services))), ...(names && { services: names }) };
}

const routes = (services: readonly GatewayService[], all = false) =>
  routesOf(services, {
    all,
    json: {},
    preflight: false,
    skip: undefined,
    own: ['/healthz', '/docs/**'],
  }).routes.map(
    ({ binding }) => `${binding.method.parent.name}.${binding.method.name} ${binding.template.source}`,
  );

const refused = (message: string | RegExp) =>
  expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringMatching(message) });

describe('routes', () => {
  it('are of all services in the descriptors, or of those that are named', () => {
    const two = { A: { X: '/a/x', Y: '/a/y' }, B: { X: '/b/x' } };
    expect(routes([served(two)])).toEqual(['A.X /a/x', 'A.Y /a/y', 'B.X /b/x']);
    expect(routes([served(two, ['p.B'])])).toEqual(['B.X /b/x']);
    expect(routes([served(two, ['p.B']), served(two, ['p.A'])])).toEqual([
      'B.X /b/x',
      'A.X /a/x',
      'A.Y /a/y',
    ]);
  });

  it('are of methods without a rule when that is asked for', () => {
    expect(routes([served({ A: { X: '/a/x', Y: '' } })])).toEqual(['A.X /a/x']);
    expect(routes([served({ A: { X: '/a/x', Y: '' } })], true)).toEqual(['A.X /a/x', 'A.Y /p.A/Y']);
  });

  it.each([
    ['two of one service', [{ A: { X: '/v1/{a}', Y: '/v1/{b}' } }]],
    ['two of two services', [{ A: { X: '/v1/a' }, B: { Y: '/v1/a' } }]],
    ['two of two pools', [{ A: { X: '/v1/**' } }, { B: { Y: '/v1/**' } }]],
  ])('that collide are refused, and both are named: %s', (_, sets) => {
    // Field paths are checked before: Empty has none.
    const literal = JSON.parse(JSON.stringify(sets).replaceAll(/\{[ab]\}/g, '*')) as typeof sets;
    expect(() => routes(literal.map((each) => served(each)))).toThrow(
      refused(/p\.[AB]\.Y \(GET \/v1\/.*\) and p\.A\.X \(GET \/v1\/.*\) match the same requests/),
    );
  });

  it('that collide with the gateway’s own are refused', () => {
    expect(() => routes([served({ A: { X: '/healthz' } })])).toThrow(
      refused(/p\.A\.X \(GET \/healthz\) and the gateway's own \/healthz/),
    );
    expect(routes([served({ A: { X: '/**' } })])).toEqual(['A.X /**']);
  });

  it('of one service are of one pool', () => {
    const one = { A: { X: '/a/x' } };
    expect(() => routes([served(one), served(one)])).toThrow(refused('p.A is served twice'));
  });

  it('of a service that nobody knows are refused, with those that are known', () => {
    expect(() => routes([served({ A: { X: '/a' }, B: { X: '/b' } }, ['p.C'])])).toThrow(
      refused('no service "p.C", but: p.A, p.B'),
    );
  });

  it('that cannot be are left out when that is asked for, with a line each', () => {
    const services = [
      served({
        A: { Good: '/a', Bad: 'nonsense', Own: '/docs/x', Nobody: '/a/{nobody}', Also: '/a/also' },
        B: { Same: '/a', Good: '/b' },
      }),
      served({ A: { X: '/x' }, C: { X: '/c' } }),
    ];
    const lines: string[] = [];
    const { routes: left } = routesOf(services, {
      all: false,
      json: {},
      preflight: false,
      own: ['/docs/**'],
      skip: (line) => lines.push(line),
    });
    expect(left.map(({ binding }) => binding.template.source)).toEqual([
      '/a',
      '/docs/x',
      '/a/also',
      '/b',
      '/c',
    ]);
    expect(lines).toEqual([
      expect.stringMatching(/p\.A\.Bad.*"nonsense"/),
      expect.stringMatching(/p\.A\.Nobody.*"nobody"/),
      expect.stringMatching(/p\.B\.Same .*p\.A\.Good .*match the same requests/),
      'p.A is served twice',
    ]);
    for (const line of lines) expect(line).not.toContain('\n');
  });

  it('are left out one by one, of a method with several', () => {
    const lines: string[] = [];
    const several = served({ A: { X: '/a' } });
    const [method] = several.descriptors.services[0]!.methods;
    const rule = getOption(method!, http);
    rule.additionalBindings.push(
      create(HttpRuleSchema, { pattern: { case: 'get', value: '/no/{thing}' } }),
      create(HttpRuleSchema, { pattern: { case: 'get', value: '/b' } }),
    );
    setExtension(method!.proto.options!, http, rule);
    const { routes: left } = routesOf([several], {
      all: false,
      json: {},
      preflight: false,
      own: [],
      skip: (line) => lines.push(line),
    });
    expect(left.map(({ binding }) => binding.template.source)).toEqual(['/a', '/b']);
    expect(lines).toHaveLength(1);
  });

  it('are some', () => {
    expect(() => routes([served({ A: { X: '' } })])).toThrow(
      refused('no method of p.A has .* rule; .*--all'),
    );
    expect(() => routes([served({})])).toThrow(refused('nothing to serve'));
  });
});
