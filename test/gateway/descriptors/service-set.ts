import { create, setExtension, toBinary } from '@bufbuild/protobuf';
import {
  EmptySchema,
  FileDescriptorProtoSchema,
  type FileDescriptorSet,
  FileDescriptorSetSchema,
  file_google_protobuf_empty,
  MethodOptionsSchema,
} from '@bufbuild/protobuf/wkt';
import { http } from '../../../generated/google/api/annotations_pb.js';
import { HttpRuleSchema } from '../../../generated/google/api/http_pb.js';

/** Services with methods that are named after the path that they are got at; one without a path has no rule. */
export function set(services: Readonly<Record<string, Readonly<Record<string, string>>>>): FileDescriptorSet {
  const file = create(FileDescriptorProtoSchema, {
    name: 'services.proto',
    package: 'p',
    syntax: 'proto3',
    dependency: ['google/protobuf/empty.proto'],
    service: Object.entries(services).map(([name, methods]) => ({
      name,
      method: Object.entries(methods).map(([method, path]) => {
        const options = create(MethodOptionsSchema);
        if (path !== '')
          setExtension(options, http, create(HttpRuleSchema, { pattern: { case: 'get', value: path } }));
        const type = `.${EmptySchema.typeName}`;
        return { name: method, inputType: type, outputType: type, options };
      }),
    })),
  });
  return create(FileDescriptorSetSchema, { file: [file, file_google_protobuf_empty.proto] });
}

export const bytesOf = (descriptors: FileDescriptorSet) => toBinary(FileDescriptorSetSchema, descriptors);
