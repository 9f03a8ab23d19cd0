import { clone } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

/** An import of a file that is not among the files. */
export function missingImport(
  files: readonly FileDescriptorProto[],
): { readonly importer: string; readonly name: string } | undefined {
  const names = new Set(files.map(({ name }) => name));
  for (const { name: importer, dependency } of files) {
    const name = dependency.find((file) => !names.has(file));
    if (name !== undefined) return { importer, name };
  }
  return undefined;
}

/** A file without some of its imports: it can be read all the same, when it takes no type from them. */
export function withoutImports(
  file: FileDescriptorProto,
  drop: (name: string) => boolean,
): FileDescriptorProto {
  const kept = file.dependency.flatMap((name, index) => (drop(name) ? [] : [index]));
  if (kept.length === file.dependency.length) return file;
  const moved = (indices: readonly number[]) =>
    indices.map((index) => kept.indexOf(index)).filter((index) => index >= 0);
  const fewer = clone(FileDescriptorProtoSchema, file);
  fewer.dependency = kept.map((index) => file.dependency[index]!);
  fewer.publicDependency = moved(file.publicDependency);
  fewer.weakDependency = moved(file.weakDependency);
  return fewer;
}

/**
 * In the order that the registry needs: compilers keep to it, servers that reflect need not.
 *
 * @param onCycle - hears of imports that lead back to where they began; when it does not throw, the last of them is left out.
 */
export function importsFirst(
  files: readonly FileDescriptorProto[],
  onCycle: (names: readonly string[]) => void,
): readonly FileDescriptorProto[] {
  const byName = new Map(files.map((file) => [file.name, file]));
  const ordered = new Map<string, FileDescriptorProto>();
  // Not by recursion: a chain of imports may be as long as it likes.
  const path: { readonly file: FileDescriptorProto; next: number; readonly dropped: Set<string> }[] = [];
  const onPath = new Set<string>();
  const enter = (file: FileDescriptorProto) => {
    path.push({ file, next: 0, dropped: new Set() });
    onPath.add(file.name);
  };
  for (const file of byName.values()) {
    if (!ordered.has(file.name)) enter(file);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const name = top.file.dependency[top.next++];
      if (name === undefined) {
        const { dropped } = top;
        ordered.set(
          top.file.name,
          withoutImports(top.file, (each) => dropped.has(each)),
        );
        onPath.delete(top.file.name);
        path.pop();
      } else if (onPath.has(name)) {
        const names = path.map((each) => each.file.name);
        onCycle([...names.slice(names.indexOf(name)), name]);
        top.dropped.add(name);
      } else if (!ordered.has(name)) {
        enter(byName.get(name)!);
      }
    }
  }
  return [...ordered.values()];
}
