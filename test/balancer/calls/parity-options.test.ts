import { type CallCredentials, credentials, Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { KINDS } from './drive.js';
import { Parity, TRANSPORTS } from './parity.js';
import { decoration } from './scenario-server.js';

/** Credentials that add metadata, or fail, after a while; with what they were asked. */
function tokens(fails?: number): { asked: object[]; make: () => CallCredentials } {
  const asked: object[] = [];
  const make = () =>
    credentials.createFromMetadataGenerator((params, callback) => {
      asked.push({ ...params });
      setImmediate(() => {
        if (fails !== undefined) {
          callback(Object.assign(new Error('no token today'), { code: fails }));
          return;
        }
        const metadata = new Metadata();
        metadata.set('authorization', 'Bearer x');
        callback(null, metadata);
      });
    });
  return { asked, make };
}

describe.each(TRANSPORTS)('over $name,', (over) => {
  const parity = new Parity(over);
  /** A service that the server does not have. */
  const absent = new Parity(
    over,
    Object.fromEntries(
      Object.entries(EchoService).map(([name, method]) => [name, { ...method, path: `${method.path}Else` }]),
    ) as unknown as typeof EchoService,
  );

  describe.each(KINDS)('%s through a pool, as by a bare client,', (kind) => {
    it('sends metadata of all sorts', async () => {
      const shown = await parity.expectSame(kind, { metadata: () => decoration('sent') });
      expect(shown).toContainEqual(
        expect.objectContaining({ kind: 'status', status: expect.objectContaining({ code: 0 }) }),
      );
      expect(parity.journal[0]).toMatchObject({
        metadata: { 'sent-text': ['one, two, with a comma'], 'sent-bin': ['0x000102ff', '0x'] },
      });
    });

    it('waits for a READY connection where its metadata say so', async () => {
      await parity.expectSame(kind, { metadata: () => new Metadata({ waitForReady: true }) });
    });

    it('names another authority', async () => {
      await parity.expectSame(kind, { options: () => ({ host: 'other.example:80' }) });
      expect(parity.journal[0]).toMatchObject({ host: 'other.example:80' });
    });

    it('calls a method that the server does not have', async () => {
      const shown = await absent.expectSame(kind, {});
      expect(shown.find((event) => event.kind === 'status')).toMatchObject({ status: { code: 12 } });
    });

    it('asks its credentials for metadata, once', async () => {
      const { asked, make } = tokens();
      await parity.expectSame(kind, { options: () => ({ credentials: make() }) });
      expect(parity.journal[0]).toMatchObject({ metadata: { authorization: ['Bearer x'] } });
      expect(asked).toEqual(Array(5).fill(asked[0]));
    });

    // 14 and 13 are also the codes of calls that never reached a server, and go elsewhere.
    it.each([
      [14, 14],
      [13, 13],
      [5, 13],
      [16, 16],
    ])('fails as its credentials do, with code %i told as %i, at once', async (code, told) => {
      const { asked, make } = tokens(code);
      const shown = await parity.expectSame(kind, { options: () => ({ credentials: make() }) });
      expect(shown.find((event) => event.kind === 'status')).toMatchObject({
        status: { code: told, details: expect.stringContaining('no token today') },
      });
      expect(asked).toHaveLength(5);
    });
  });
});
