import { create, type DescField, type DescMessage, type Message, ScalarType } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';

/** A body that is no JSON: what a `google.api.HttpBody` holds (google/api/httpbody.proto). */
export interface RawBody {
  /** '' when nobody has said. */
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** Whether a message is a body as it is, with a content type of its own. */
export function isHttpBody(message: DescMessage | undefined): message is DescMessage {
  return (
    message?.typeName === 'google.api.HttpBody' &&
    message.field.contentType?.scalar === ScalarType.STRING &&
    message.field.data?.scalar === ScalarType.BYTES
  );
}

/** A message that is the body, or has it in a field. */
export function httpBodyMessage(
  message: DescMessage,
  field: DescField | undefined,
  { contentType, bytes }: RawBody,
): Message {
  const desc = field === undefined ? message : field.message!;
  const body = reflect(desc);
  body.set(desc.field.contentType!, contentType);
  body.set(desc.field.data!, bytes);
  if (field === undefined) return body.message;
  const whole = reflect(message, create(message));
  whole.set(field, body);
  return whole.message;
}

/** The body that a message is, or has in a field; an empty one when it does not. */
export function rawBodyOf(message: DescMessage, field: DescField | undefined, value: Message): RawBody {
  const whole = reflect(message, value);
  if (field !== undefined && !whole.isSet(field)) return { contentType: '', bytes: new Uint8Array() };
  const desc = field === undefined ? message : field.message!;
  const body = field === undefined ? whole : reflect(desc, (whole.get(field) as ReflectedMessage).message);
  return {
    contentType: body.get(desc.field.contentType!) as string,
    bytes: body.get(desc.field.data!) as Uint8Array,
  };
}

type ReflectedMessage = { readonly message: Message };
