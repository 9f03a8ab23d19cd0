import { create } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { readDescriptors } from '../../../src/gateway/index.js';
import { bytesOf, set } from './service-set.js';

const refused = (message: string | RegExp) =>
  expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringMatching(message) });

describe('readDescriptors', () => {
  it('leaves out what every server has', () => {
    const { file } = set({ A: { X: '' } });
    const health = create(FileDescriptorProtoSchema, {
      name: 'health.proto',
      package: 'grpc.health.v1',
      service: [{ name: 'Health' }],
    });
    const { services } = readDescriptors(
      bytesOf(create(FileDescriptorSetSchema, { file: [...file, health] })),
    );
    expect(services.map(({ typeName }) => typeName)).toEqual(['p.A']);
  });

  it('takes files in any order', () => {
    const { file } = set({ A: { X: '' } });
    for (const order of [file, file.toReversed()]) {
      const bytes = bytesOf(create(FileDescriptorSetSchema, { file: order }));
      expect(readDescriptors(bytes).services).toHaveLength(1);
    }
  });

  it('leaves out the files that cannot be, and what they hold, when that is asked for', () => {
    const { file } = set({ Good: { X: '' } });
    const method = { name: 'X', inputType: '.no.Such', outputType: '.no.Such' };
    const bad = [
      { name: 'type.proto', package: 'q', service: [{ name: 'Bad', method: [method] }] },
      { name: 'import.proto', package: 'q', dependency: ['nowhere.proto'], service: [{ name: 'Fine' }] },
      { name: 'behind.proto', package: 'q', dependency: ['type.proto'], service: [{ name: 'Also' }] },
      { name: 'name.proto', package: 'q', service: [{ name: 'B{d' }] },
      { name: 'a.proto', package: 'q', dependency: ['b.proto'], service: [{ name: 'Round' }] },
      { name: 'b.proto', package: 'q', dependency: ['a.proto'] },
    ];
    const bytes = bytesOf(create(FileDescriptorSetSchema, { file: [...bad, ...file] }));
    const lines: string[] = [];
    const { services } = readDescriptors(bytes, { skip: (line) => lines.push(line) });
    expect(services.map(({ typeName }) => typeName)).toEqual(['p.Good', 'q.Also', 'q.Fine', 'q.Round']);
    expect(lines).toEqual([
      expect.stringContaining('cycle of imports: a.proto, b.proto, a.proto'),
      expect.stringMatching(/^type\.proto: .*no\.Such/),
      expect.stringMatching(/^name\.proto: .*B\{d/),
    ]);
    expect(() => readDescriptors(bytes)).toThrow(refused('type.proto|import.proto'));
  });

  it('takes a chain of imports of any length', () => {
    const chain = Array.from({ length: 20_000 }, (_, i) => ({
      name: `${i}.proto`,
      dependency: i === 19_999 ? [] : [`${i + 1}.proto`],
    }));
    const bytes = bytesOf(create(FileDescriptorSetSchema, { file: chain }));
    expect([...readDescriptors(bytes).files.files]).toHaveLength(20_000);
  });

  it.each<[string, Uint8Array, string]>([
    ['what is none', Buffer.from('syntax = "proto3";'), 'not a FileDescriptorSet'],
    ['an empty one', Buffer.alloc(0), 'is empty'],
    [
      'one without what it imports',
      bytesOf(create(FileDescriptorSetSchema, { file: [set({ A: {} }).file[0]!] })),
      'services.proto and not google/protobuf/empty.proto.*--include_imports',
    ],
    [
      'one that imports itself',
      bytesOf(
        create(FileDescriptorSetSchema, {
          file: [
            { name: 'a.proto', dependency: ['b.proto'] },
            { name: 'b.proto', dependency: ['a.proto'] },
          ],
        }),
      ),
      'cycle of imports: a.proto, b.proto, a.proto',
    ],
    [
      'one with a type that is missing',
      bytesOf(
        create(FileDescriptorSetSchema, {
          file: [
            {
              name: 'a.proto',
              syntax: 'proto3',
              service: [
                { name: 'A', method: [{ name: 'X', inputType: '.no.Such', outputType: '.no.Such' }] },
              ],
            },
          ],
        }),
      ),
      'cannot be read: .*no.Such',
    ],
  ])('refuses %s', (_, bytes, reason) => {
    expect(() => readDescriptors(bytes)).toThrow(refused(reason));
  });
});
