import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parsePort,
  parseServiceName,
  type ServiceName,
} from '../../../src/registry/kubernetes/service-name.js';
import { readSlice } from '../../../src/registry/kubernetes/slices.js';

const greeter: ServiceName = { namespace: 'prod', name: 'greeter', port: undefined };

const slice = (change: object = {}) => ({
  metadata: { name: 'greeter-abc' },
  addressType: 'IPv4',
  ports: [{ name: 'grpc', port: 50051, protocol: 'TCP' }],
  endpoints: [{ addresses: ['10.0.0.1'] }],
  ...change,
});

const addresses = (object: unknown, service = greeter) =>
  readSlice(object, service)?.endpoints.map(({ address }) => address);

describe('an EndpointSlice', () => {
  it('tells pods with what is known of them', () => {
    const endpoint = {
      addresses: ['10.0.0.1', '10.0.0.9'],
      conditions: { ready: true, serving: true, terminating: false },
      zone: 'eu-1a',
      nodeName: 'node-7',
      targetRef: { kind: 'Pod', name: 'greeter-x', namespace: 'prod' },
      hints: { forZones: [{ name: 'eu-1a' }, { name: 'eu-1b' }] },
    };
    expect(readSlice(slice({ endpoints: [endpoint] }), greeter)).toEqual({
      name: 'greeter-abc',
      family: 4,
      portless: 0,
      complaint: undefined,
      endpoints: [
        {
          id: 'prod/greeter/10.0.0.1:50051',
          address: '10.0.0.1:50051',
          weight: 1,
          metadata: {
            authority: 'greeter.prod.svc',
            zone: 'eu-1a',
            node: 'node-7',
            pod: 'greeter-x',
            hints: 'eu-1a,eu-1b',
          },
        },
      ],
    });
  });

  it.each([
    ['nothing said', undefined, true],
    ['null', null, true],
    ['ready', { ready: true }, true],
    ['ready said to be unknown', { ready: null }, true],
    ['not ready', { ready: false }, false],
    ['not ready, and serving as it terminates', { ready: false, serving: true, terminating: true }, false],
    [
      'ready though it terminates, of a service that publishes all',
      { ready: true, terminating: true },
      false,
    ],
  ])('has calls made to a pod by its conditions: %s', (_, conditions, called) => {
    const told = addresses(slice({ endpoints: [{ addresses: ['10.0.0.1'], conditions }] }));
    expect(told).toEqual(called ? ['10.0.0.1:50051'] : []);
  });

  it('is of IPv4 or of IPv6', () => {
    const v6 = slice({ addressType: 'IPv6', endpoints: [{ addresses: ['fd00::1'] }] });
    expect(addresses(v6)).toEqual(['[fd00::1]:50051']);
    const wrong = readSlice(
      slice({ endpoints: [{ addresses: ['fd00::1'] }, { addresses: ['10.0.0.2'] }] }),
      greeter,
    );
    expect(wrong?.endpoints.map(({ address }) => address)).toEqual(['10.0.0.2:50051']);
    expect(wrong?.complaint).toMatch(/greeter-abc: 1 endpoints have no IPv4 address/);
    expect(readSlice(slice({ addressType: 'FQDN' }), greeter)?.complaint).toMatch(/addressType/);
  });

  const several = [
    { name: 'grpc', port: 1 },
    { name: 'metrics', port: 2, protocol: 'TCP' },
    { name: 'quic', port: 3, protocol: 'UDP' },
    { name: 'any', port: null },
  ];

  it.each<[string | number | undefined, unknown, string | RegExp]>([
    [undefined, [{ name: '', port: 7 }], '10.0.0.1:7'],
    [undefined, [{ port: 7 }], '10.0.0.1:7'],
    ['metrics', several, '10.0.0.1:2'],
    [9, several, '10.0.0.1:9'],
    [9, null, '10.0.0.1:9'],
    [undefined, several, /several ports, grpc \(1\), metrics \(2\); say which, as in "name:grpc"/],
    ['http', several, /no port named "http", but grpc \(1\), metrics \(2\)/],
    ['quic', several, /no port named "quic"/],
    [undefined, [], /lists no TCP port; give a number/],
    [undefined, 'garbage', /lists no TCP port/],
  ])('is called at port %j of %j', (port, ports, told) => {
    const read = readSlice(slice({ ports }), { ...greeter, port });
    if (typeof told === 'string') {
      expect(read?.endpoints.map(({ address }) => address)).toEqual([told]);
    } else {
      expect(read).toMatchObject({ endpoints: [], portless: 1, complaint: expect.stringMatching(told) });
    }
  });

  it('is read whatever it is, and never throws', () => {
    const some = fc.oneof(fc.anything(), fc.jsonValue());
    const endpoint = fc.record({
      addresses: some,
      conditions: some,
      hints: some,
      targetRef: some,
      zone: some,
    });
    const any = fc.record({
      metadata: fc.oneof(some, fc.constant({ name: 'x' })),
      addressType: fc.oneof(some, fc.constantFrom('IPv4', 'IPv6')),
      ports: fc.oneof(some, fc.array(fc.record({ name: some, port: some, protocol: some }))),
      endpoints: fc.oneof(some, fc.array(endpoint)),
    });
    fc.assert(
      fc.property(fc.oneof(any, some), (object) => {
        const read = readSlice(object, greeter);
        for (const { metadata } of read?.endpoints ?? []) {
          expect(Object.values(metadata).every((value) => typeof value === 'string')).toBe(true);
        }
      }),
    );
  });
});

describe('the name of a Service', () => {
  const defaults = { namespace: 'default', port: 'grpc' } as const;

  it('may have a namespace and a port', () => {
    expect(parseServiceName('greeter', defaults)).toEqual({
      namespace: 'default',
      name: 'greeter',
      port: 'grpc',
    });
    expect(parseServiceName('prod/greeter:50051', defaults)).toEqual({
      namespace: 'prod',
      name: 'greeter',
      port: 50051,
    });
    expect(parseServiceName('greeter:web', defaults)).toMatchObject({ port: 'web' });
  });

  it.each([
    '',
    '/',
    '/greeter',
    'a/b/c',
    'Greeter',
    'greeter:',
    'greeter:0',
    'greeter:70000',
    'a b',
    '../x',
    'x?y',
    'x:A',
  ])('cannot be %j', (service) => {
    expect(() => parseServiceName(service, defaults)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    );
  });

  it('has ports that are numbers or names', () => {
    expect([parsePort(1), parsePort('80'), parsePort('grpc')]).toEqual([1, 80, 'grpc']);
    for (const port of [0, 1.5, Number.NaN, 65_536, '', 'a_b', {} as string])
      expect(() => parsePort(port)).toThrow(/port/);
  });
});
