import { create, toBinary } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { ErrorInfoSchema } from '../../../generated/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../../generated/google/rpc/status_pb.js';
import { Status } from '../../../src/base/errors.js';
import { decode, encode, request, startGateway, testDescriptors, type Unary } from '../support.js';

/** Fails with the status that the title names. */
const failing: Unary = ({ request: bytes }, callback) => {
  const { text = '' } = decode('Everything', bytes) as { text?: string };
  callback({ code: Number(text), details: `because of ${text}` });
};

describe('a call that fails', () => {
  it.each([
    [Status.CANCELLED, 499],
    [Status.UNKNOWN, 500],
    [Status.INVALID_ARGUMENT, 400],
    [Status.DEADLINE_EXCEEDED, 504],
    [Status.NOT_FOUND, 404],
    [Status.ALREADY_EXISTS, 409],
    [Status.PERMISSION_DENIED, 403],
    [Status.RESOURCE_EXHAUSTED, 429],
    [Status.FAILED_PRECONDITION, 400],
    [Status.ABORTED, 409],
    [Status.OUT_OF_RANGE, 400],
    [Status.UNIMPLEMENTED, 501],
    [Status.INTERNAL, 500],
    [Status.UNAVAILABLE, 503],
    [Status.DATA_LOSS, 500],
    [Status.UNAUTHENTICATED, 401],
    [99, 500],
  ])('with %d answers %d', async (code, httpStatus) => {
    const { url } = await startGateway({ handlers: { Mirror: failing } });
    const { status, headers, json } = await request(`${url}/v1/mirror`, {
      method: 'POST',
      body: `{"text":"${code}"}`,
    });
    expect(status).toBe(httpStatus);
    expect(headers.get('content-type')).toBe('application/json');
    expect(json).toEqual({ code, message: `because of ${code}`, details: [] });
  });

  it('gives its details as JSON where their types are known, and their bytes where not', async () => {
    const info = anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: 'TIRED', domain: 'x' }));
    const book: Partial<Any> = {
      typeUrl: 'type.googleapis.com/test.gateway.v1.Book',
      value: encode('Book', { title: 't' }),
    };
    const unknown: Partial<Any> = { typeUrl: 'type.googleapis.com/no.Such', value: Buffer.from('hi') };
    const details = [info, book, unknown].map(
      (each) => ({ $typeName: 'google.protobuf.Any', ...each }) as Any,
    );
    const { url } = await startGateway({
      handlers: {
        Mirror: ((_call, callback) => {
          const metadata = new Metadata();
          const status = create(StatusSchema, { code: 9, message: 'm', details });
          metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, status)));
          metadata.set('after', 'all');
          callback({ code: 9, details: 'm', metadata });
        }) satisfies Unary,
      },
    });
    const { status, headers, json } = await request(`${url}/v1/mirror`);
    expect(status).toBe(400);
    expect(json).toEqual({
      code: 9,
      message: 'm',
      details: [
        { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'TIRED', domain: 'x' },
        { '@type': 'type.googleapis.com/test.gateway.v1.Book', title: 't' },
        { '@type': 'type.googleapis.com/no.Such', value: 'aGk=' },
      ],
    });
    expect(headers.get('grpc-metadata-after')).toBe('all');
    expect(headers.has('grpc-metadata-grpc-status-details-bin')).toBe(false);
  });

  it('may have details that are none', async () => {
    const { url } = await startGateway({
      handlers: {
        Mirror: ((_call, callback) => {
          const metadata = new Metadata();
          metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff]));
          callback({ code: 5, details: 'm', metadata });
        }) satisfies Unary,
      },
    });
    expect((await request(`${url}/v1/mirror`)).json).toEqual({ code: 5, message: 'm', details: [] });
  });

  it('is one whose server answers with what is no message', async () => {
    const { url } = await startGateway({
      handlers: { Mirror: ((_call, callback) => callback(null, Buffer.from([0x0b]))) satisfies Unary },
    });
    expect(await request(`${url}/v1/mirror`)).toMatchObject({ status: 500, json: { code: 13 } });
  });

  it('is one whose server answers with what has no JSON', async () => {
    const any = { typeUrl: 'type.googleapis.com/no.Such', value: Buffer.from('hi') };
    const { url } = await startGateway({
      handlers: {
        Mirror: ((_call, callback) => {
          const everything = testDescriptors().files.getMessage('test.gateway.v1.Everything')!;
          callback(null, Buffer.from(toBinary(everything, create(everything, { any }))));
        }) satisfies Unary,
      },
    });
    const { status, json } = await request(`${url}/v1/mirror`);
    expect(status).toBe(500);
    expect(json).toMatchObject({ code: 13, message: expect.stringContaining('no.Such') });
  });
});
