import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nameProxy, proxySetting } from '../../../../src/balancer/transport/grpc-js/proxy.js';
import { grpcTransport } from '../../../../src/balancer/transport/grpc-js/transport.js';
import type { ConnectionEvent } from '../../../../src/balancer/transport/transport.js';
import { systemClock } from '../../../../src/base/clock.js';
import { endpoint } from '../../../support/endpoints.js';

describe('the proxy that the environment names', () => {
  it.each([
    [{}, undefined],
    [{ http_proxy: '' }, undefined],
    [{ http_proxy: 'not a url' }, undefined],
    [{ http_proxy: 'https://p:1' }, undefined],
    [{ http_proxy: 'http://p' }, { address: 'p:80', variable: 'http_proxy' }],
    [{ http_proxy: 'http://user:secret@p:3128' }, { address: 'p:3128', variable: 'http_proxy' }],
    [
      { grpc_proxy: 'http://g:1', https_proxy: 'http://s:2' },
      { address: 'g:1', variable: 'grpc_proxy' },
    ],
    [
      { https_proxy: 'http://s:2', http_proxy: 'http://p:3' },
      { address: 's:2', variable: 'https_proxy' },
    ],
  ])('of %j is %j', (env, expected) => {
    expect(proxySetting(env)).toEqual(expected);
  });

  it('is named where it is the proxy that failed, and only there', () => {
    const proxy = { address: 'p:3128', variable: 'http_proxy' };
    expect(nameProxy('No connection established. Last error: undefined', proxy)).toMatch(
      /the proxy p:3128 \(http_proxy\) opened no tunnel/,
    );
    expect(nameProxy('connect ECONNREFUSED p:3128', proxy)).toMatch(/\(the proxy that http_proxy names\)$/);
    expect(nameProxy('certificate has expired', proxy)).toBe('certificate has expired');
    expect(nameProxy('Last error: undefined', undefined)).toBe('Last error: undefined');
  });
});

describe('a connection through a proxy that opens no tunnel', () => {
  it('says which proxy that was', async () => {
    const proxy: Server = createServer();
    proxy.on('connect', (_, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'));
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void proxy.close());
    const address = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const before = process.env.grpc_proxy;
    process.env.grpc_proxy = `http://user:secret@${address}`;
    onTestFinished(() => {
      if (before === undefined) delete process.env.grpc_proxy;
      else process.env.grpc_proxy = before;
    });
    const cause = await new Promise<Error>((resolve) => {
      const heard = (event: ConnectionEvent) => {
        if (event.kind === 'failed') resolve(event.cause);
      };
      const connection = grpcTransport({ clock: systemClock })(endpoint('a', 'backend.invalid:1'), heard);
      onTestFinished(() => connection.retire());
      connection.connect();
    });
    expect(cause.message).toContain(`backend.invalid:1: `);
    expect(cause.message).toContain(`the proxy ${address} (grpc_proxy)`);
    expect(cause.message).not.toContain('secret');
    expect(cause.message).not.toContain('undefined');
  });
});
