import { RequestError } from '../base/request-error.js';
import { type BodyLimits, readLines } from './body.js';
import type { Exchange } from './exchange.js';

/** The messages of a request body, one a line, serialized for the server. */
export async function* requestMessages(
  { request, encode }: Exchange,
  body: boolean,
  limits: BodyLimits,
): AsyncGenerator<Buffer, void, undefined> {
  // A rule without a body: path and query are the one message that there is.
  if (!body) {
    yield encode('');
    return;
  }
  let line = 0;
  for await (const text of readLines(request, limits)) {
    line++;
    try {
      yield encode(text);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      throw new RequestError(error.httpStatus, error.code, `line ${line}: ${error.message}`);
    }
  }
}
