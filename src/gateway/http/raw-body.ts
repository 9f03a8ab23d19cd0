/** A type, with parameters (RFC 9110, 8.3.1), and nothing that would be another header. */
const CONTENT_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+(?:\s*;[\t -~]*)?$/;
const UNKNOWN = 'application/octet-stream';

/** The headers of an answer that is as a server has it: nobody is to take it for another type than the server says. */
export function rawHeaders(contentType: string): Record<string, string> {
  return {
    'content-type': CONTENT_TYPE.test(contentType) ? contentType : UNKNOWN,
    'x-content-type-options': 'nosniff',
  };
}
