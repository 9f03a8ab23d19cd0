import type { Abort, Stream } from './stream.js';

/** Tells a stream that it has ended. What its listener throws goes past the streams that are still to hear of theirs. */
export function abortStream(stream: Stream, why: Abort): void {
  try {
    stream.aborted(why);
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown;
    });
  }
}

/** Tells streams that were open that the connection is gone. @param takes - how often output has been taken. */
export function abortOpen(streams: readonly Stream[], takes: number, details: string): void {
  for (const stream of streams) {
    const unwritten = stream.openedTake === takes;
    abortStream(stream, { kind: unwritten ? 'never' : 'lost', details });
  }
}
