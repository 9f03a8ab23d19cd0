import { describe, expect, it, onTestFinished } from 'vitest';
import { parseRegistry, serviceOf } from '../../src/cli/registry-target.js';
import { DnsServer } from '../support/dns-server.js';
import { eventually } from '../support/eventually.js';
import { ServerProcess } from '../support/server-process.js';
import { Program } from './program.js';

describe('--registry', () => {
  it.each([
    ['etcd://a:1,b', { kind: 'etcd', hosts: ['http://a:1', 'http://b:2379'] }, undefined],
    [
      'dns:///greeter.example:443',
      { kind: 'dns', server: undefined, service: 'greeter.example:443' },
      'greeter.example:443',
    ],
    [
      'dns:greeter.example:443',
      { kind: 'dns', server: undefined, service: 'greeter.example:443' },
      'greeter.example:443',
    ],
    [
      'dns://10.0.0.1:53/_a._tcp.b',
      { kind: 'dns', server: '10.0.0.1:53', service: '_a._tcp.b' },
      '_a._tcp.b',
    ],
    [
      'kubernetes:///prod/greeter:grpc',
      { kind: 'kubernetes', service: 'prod/greeter:grpc' },
      'prod/greeter:grpc',
    ],
    ['static:///a:1,b:2', { kind: 'static', endpoints: ['a:1', 'b:2'] }, 'a:1,b:2'],
  ])('takes %s', (text, target, service) => {
    expect(parseRegistry(text)).toEqual(target);
    expect(serviceOf(parseRegistry(text))).toBe(service);
  });

  it.each([
    ['', /It must be etcd:/],
    ['localhost:2379', /It must be etcd:/],
    ['xds:///greeter', /It must be etcd:/],
    ['dns:///greeter', /'--registry <uri>': service "greeter" is not host:port/],
    ['dns:///', /is not host:port/],
    ['kubernetes://prod/greeter', /three slashes/],
    ['kubernetes:///Greeter', /is not \[namespace\/\]name/],
    ['static:///', /address "" is not host:port/],
    ['static:///a:1,a:1', /twice/],
    ['static://a:1,b:2', /three slashes/],
    ['etcd://user:hunter2@a:1', /holds an @/],
  ])('refuses %j', (text, why) => {
    expect(() => parseRegistry(text)).toThrow(why);
    expect(() => parseRegistry(text)).not.toThrow(/hunter2/);
  });

  it('lets the client find its servers by a list, and by DNS', async () => {
    const server = await ServerProcess.start({ service: 'any', announceTo: { kind: 'nowhere' } });
    onTestFinished(() => server.kill().then(() => {}));
    const port = server.address.split(':')[1];
    const dns = await DnsServer.start(({ type }) => ({
      records: type === 'A' ? [{ type: 'A', data: '127.0.0.1' }] : [],
    }));
    onTestFinished(() => dns.close());
    for (const uri of [`static:///${server.address}`, `dns://${dns.address}/greeter.test:${port}`]) {
      const client = new Program('client', '--registry', uri, '--interval', '10');
      await eventually('replies', () => client.out.length > 1);
      client.child.kill('SIGINT');
      await client.exited;
      expect(client.out[0], uri).toMatch(/world 1/);
    }
  });

  it('is told from --reg', async () => {
    const client = new Program('client', '--registry', 'static:///a:1', '--reg', 'b:2');
    expect(await client.exited).not.toBe(0);
    expect(client.err.join('\n')).toMatch(/--registry <uri>' cannot be used with option '--reg <urls>'/);
  });
});
