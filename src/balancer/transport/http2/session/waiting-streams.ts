import { LinkedList } from '../../../../base/linked-list.js';
import { abortStream } from './abort-stream.js';
import type { Stream } from './stream.js';

/** Streams that are to be opened, in order: with what goes out next, or when the server's limit has room. */
export class WaitingStreams {
  readonly #list = new LinkedList<Stream>();

  get any(): boolean {
    return this.#list.first !== undefined;
  }

  add(stream: Stream): void {
    stream.place = 'waiting';
    this.#list.push(stream);
  }

  delete(stream: Stream): void {
    this.#list.delete(stream);
  }

  /** The oldest, which waits no more. */
  next(): Stream | undefined {
    const { first } = this.#list;
    if (first !== undefined) this.#list.delete(first);
    return first;
  }

  /** None of them has ever been. */
  abort(details: string): void {
    // Those that there are: whoever hears of it may come again.
    const streams: Stream[] = [];
    for (let stream = this.next(); stream !== undefined; stream = this.next()) streams.push(stream);
    for (const stream of streams) {
      stream.place = 'closed';
      abortStream(stream, { kind: 'never', details });
    }
  }
}
