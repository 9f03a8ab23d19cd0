/** How messages are mapped to JSON and back. */
export interface JsonOptions {
  /** What to do with fields and enum values that the descriptors do not have. Default `ignore`. */
  readonly unknownFields?: 'ignore' | 'refuse';
  /** Name fields in responses as the proto does, not in lowerCamelCase. Default false. */
  readonly useProtoFieldName?: boolean;
  /** Enum values in responses as numbers. Default false: by name. */
  readonly enumAsInteger?: boolean;
  /** Responses with fields that have their default value. Default false. */
  readonly alwaysEmitImplicit?: boolean;
}
