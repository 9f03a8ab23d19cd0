import { RequestError } from '../base/request-error.js';
import { type BodyLimits, readChunks, readLines } from './body.js';
import type { Exchange } from './exchange.js';

/** The messages of a request body, one a line, serialized for the server. */
export async function* requestMessages(
  exchange: Exchange,
  limits: BodyLimits,
): AsyncGenerator<Buffer, void, undefined> {
  const { request, encode, patience } = exchange;
  const { binding, requests } = exchange.route;
  // A rule without a body: path and query are the one message that there is.
  if (binding.body === 'none') {
    yield encode('');
  } else if (requests.raw) {
    // A body as it is, part by part. What it is is said with the first (google/api/httpbody.proto).
    let contentType = exchange.contentType;
    for await (const bytes of readChunks(request, patience)) {
      yield encode({ contentType, bytes });
      contentType = '';
    }
  } else {
    let line = 0;
    for await (const text of readLines(request, limits, patience)) {
      line++;
      try {
        yield encode(text);
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        throw new RequestError(error.httpStatus, error.code, `line ${line}: ${error.message}`);
      }
    }
  }
}
