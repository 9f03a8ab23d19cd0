import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { commentOn } from '../descriptors/comments.js';
import { isHttpBody } from '../rules/http-body.js';
import type { Binding } from '../rules/http-rule.js';
import type { OpenApi } from './document.js';
import type { Schema, Schemas } from './schemas.js';

/** The name of the schema of every error body. */
export const STATUS = 'google.rpc.Status';

export const ERROR: Schema = {
  type: 'object',
  description: 'What went wrong: a gRPC status.',
  properties: {
    code: { type: 'integer', format: 'int32', description: 'The gRPC status code.' },
    message: { type: 'string' },
    details: { type: 'array', items: { type: 'object', additionalProperties: true } },
  },
};

/** An operation, but for its id and its parameters (OpenAPI 3.1, 4.8.10). */
export function operationOf({ method, body, responseBody }: Binding, schemas: Schemas): OpenApi {
  const { clientStreaming, serverStreaming } = method.proto;
  const requests = body === 'none' ? undefined : contentOf(method.input, body === 'all' ? undefined : body);
  const comment = commentOn(method);
  return {
    tags: [method.parent.typeName],
    summary: firstSentence(comment),
    description: comment,
    ...(method.deprecated && { deprecated: true }),
    ...(requests !== undefined && {
      requestBody: { content: requests(schemas, clientStreaming ? [LINES] : [JSON_TYPE]) },
    }),
    responses: {
      200: {
        description: serverStreaming ? 'Messages, one a line or an event.' : 'OK',
        content: contentOf(method.output, responseBody)(
          schemas,
          serverStreaming ? [LINES, 'text/event-stream'] : [JSON_TYPE],
        ),
      },
      default: {
        description: 'An error',
        content: { [JSON_TYPE]: { schema: { $ref: `#/components/schemas/${STATUS}` } } },
      },
    },
  };
}

const JSON_TYPE = 'application/json';
const LINES = 'application/x-ndjson';

/** Whatever there is, of whatever type. */
const RAW = { '*/*': { schema: { type: 'string', format: 'binary' } } };

/** The content of a message, or of a field of it, by the types that it comes in. */
function contentOf(message: DescMessage, field: DescField | undefined) {
  return (schemas: Schemas, types: readonly string[]): OpenApi => {
    const single = field?.fieldKind === 'message' ? field.message : undefined;
    if (isHttpBody(field === undefined ? message : single)) return RAW;
    const schema = field === undefined ? schemas.ofMessage(message) : schemas.ofField(field);
    return Object.fromEntries(types.map((type) => [type, { schema }]));
  };
}

/** Up to the first full stop that ends a sentence, or the first empty line; on one line. */
function firstSentence(comment: string): string {
  const [paragraph = ''] = comment.split(/\n\s*\n/);
  const text = paragraph.replace(/\s+/g, ' ').trim();
  return /^.*?[.!?](?=\s+[\p{Lu}`]|$)/u.exec(text)?.[0] ?? text;
}
