import { describe, expect, it, onTestFinished } from 'vitest';
import { grpcTransport } from '../../../../src/balancer/transport/grpc-js/transport.js';
import { systemClock } from '../../../../src/base/clock.js';
import { endpoint } from '../../../support/endpoints.js';
import { answer } from '../../calls/raw-server.js';
import { serve } from '../../calls/repick.js';
import { describeTransport } from '../contract.js';
import { realPair } from '../raw-peer.js';

const transport = grpcTransport({ clock: systemClock });

describeTransport('grpc-js', () => realPair(transport));

describe('a connection of grpc-js', () => {
  it('tells whoever asks again that it is READY', async () => {
    const server = await serve((raw) => answer(raw));
    let ready = 0;
    const connection = transport(endpoint('a', server.address), ({ kind }) => {
      if (kind === 'ready') ready++;
    });
    onTestFinished(() => connection.retire());
    connection.connect();
    await expect.poll(() => ready).toBe(1);
    connection.connect();
    await expect.poll(() => ready).toBe(2);
    expect(server.connections).toBe(1);
  });
});
