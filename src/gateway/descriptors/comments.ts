import type { DescEnum, DescField, DescFile, DescMessage, DescMethod, DescService } from '@bufbuild/protobuf';
import type { FileDescriptorProto } from '@bufbuild/protobuf/wkt';

/**
 * Lets go of what is not asked for: where everything stands in its file, which is most of what a large set of files holds. In place.
 */
export function keepComments({ sourceCodeInfo }: FileDescriptorProto): void {
  if (sourceCodeInfo === undefined) return;
  sourceCodeInfo.location = sourceCodeInfo.location.filter(({ leadingComments }) => leadingComments !== '');
  for (const location of sourceCodeInfo.location) {
    location.span = [];
    location.leadingDetachedComments = [];
  }
}

type Commented = DescMessage | DescField | DescEnum | DescService | DescMethod;

/** Leading comments of a file, by the paths of what they lead (google/protobuf/descriptor.proto, SourceCodeInfo). */
const commentsOf = new WeakMap<DescFile, ReadonlyMap<string, string>>();

/** The comment before a declaration in its proto; '' without, or when the descriptors were written without comments. */
export function commentOn(declaration: Commented): string {
  const file = fileOf(declaration);
  let comments = commentsOf.get(file);
  if (comments === undefined) {
    const locations = file.proto.sourceCodeInfo?.location ?? [];
    comments = new Map(locations.map(({ path, leadingComments }) => [path.join('.'), leadingComments]));
    commentsOf.set(file, comments);
  }
  return (comments.get(pathOf(declaration).join('.')) ?? '').replace(/^ /gm, '').trim();
}

function fileOf(declaration: Commented): DescFile {
  return declaration.kind === 'field' || declaration.kind === 'rpc'
    ? declaration.parent.file
    : declaration.file;
}

/** Field numbers and indices, by turns, that lead from a FileDescriptorProto to the declaration. */
function pathOf(declaration: Commented): readonly number[] {
  switch (declaration.kind) {
    case 'service':
      return [6, declaration.file.proto.service.indexOf(declaration.proto)];
    case 'rpc':
      return [...pathOf(declaration.parent), 2, declaration.parent.proto.method.indexOf(declaration.proto)];
    case 'field':
      return [...pathOf(declaration.parent), 2, declaration.parent.proto.field.indexOf(declaration.proto)];
    case 'message': {
      const { parent, file, proto } = declaration;
      return parent === undefined
        ? [4, file.proto.messageType.indexOf(proto)]
        : [...pathOf(parent), 3, parent.proto.nestedType.indexOf(proto)];
    }
    case 'enum': {
      const { parent, file, proto } = declaration;
      return parent === undefined
        ? [5, file.proto.enumType.indexOf(proto)]
        : [...pathOf(parent), 4, parent.proto.enumType.indexOf(proto)];
    }
  }
}
