import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { reachedBy } from '../../../../src/balancer/transport/grpc-js/reached.js';

const UNAVAILABLE = 14;
const INTERNAL = 13;

function status(details: string, code = UNAVAILABLE, trailers: Record<string, string> = {}): StatusObject {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
  return { code, details, metadata };
}

describe('whether a call of grpc-js can have reached a server', () => {
  it.each([
    'No connection established. Last error: connect ECONNREFUSED',
    'Channel closed before call started',
    'Failed to start HTTP/2 stream with error The session has been destroyed',
    'Failed to start HTTP/2 stream with error New streams cannot be created after receiving a GOAWAY',
    'Failed to start HTTP/2 stream with error No stream ID is available because maximum stream ID has been reached',
  ])('never, without a stream: %s', (details) => {
    expect(reachedBy(status(details), false, false)).toBe('never');
    // With one, a server may say what it likes.
    expect(reachedBy(status(details), true, false)).toBe('maybe');
  });

  it.each([
    'Getting metadata from plugin failed with error: no token',
    'Failed to start HTTP/2 stream with error Invalid character in header content ["x"]',
    'Failed to start HTTP/2 stream with error what nobody has seen yet',
  ])('never, and by its own fault: %s', (details) => {
    expect(reachedBy(status(details, INTERNAL), false, false)).toBe('unsendable');
    expect(reachedBy(status(details, INTERNAL), true, false)).toBe('maybe');
  });

  it('refused, when the stream was, and nothing of the server’s came with it', () => {
    const refused = 'Stream refused by server';
    expect(reachedBy(status(refused), true, false)).toBe('refused');
    expect(reachedBy(status(refused), true, true)).toBe('maybe');
    expect(reachedBy(status(refused, INTERNAL), true, false)).toBe('maybe');
    expect(reachedBy(status(refused, UNAVAILABLE, { 'content-type': 'application/grpc' }), true, false)).toBe(
      'maybe',
    );
    expect(reachedBy(status(`${refused}!`), true, false)).toBe('maybe');
  });
});
