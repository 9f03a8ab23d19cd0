import { AsyncResource } from 'node:async_hooks';
import { CallCredentials, type Metadata } from '@grpc/grpc-js';
import { asError } from '../../../base/errors.js';
import { unsendable } from '../sendable.js';

type CallMetadataOptions = Parameters<CallCredentials['generateMetadata']>[0];

/**
 * The credentials of one call, together with those of its connection. Whatever they do, the call ends: grpc-js waits for
 * ever for what throws in its promises, and drops the connection for metadata that cannot be sent. They are asked in the
 * async context in which the call was started; grpc-js may ask when somebody else's event has made the connection READY.
 */
export class GuardedCredentials extends CallCredentials {
  readonly #context: AsyncResource;

  /** @param sent - the metadata of the call itself, to which theirs is added. */
  constructor(
    private readonly inner: CallCredentials,
    private readonly sent: Metadata,
    context?: AsyncResource,
  ) {
    super();
    this.#context = context ?? new AsyncResource('EvenkeelCredentials');
  }

  override async generateMetadata(options: CallMetadataOptions): Promise<Metadata> {
    try {
      const metadata = await this.#context.runInAsyncScope(() => this.inner.generateMetadata(options));
      // Not by its class, of which there are as many as there are copies of grpc-js.
      if (typeof metadata?.getMap !== 'function') throw new TypeError('the credentials gave no Metadata');
      const together = this.sent.clone();
      together.merge(metadata);
      const why = unsendable(together);
      if (why !== undefined) throw new Error(`what they gave cannot be sent: ${why}`);
      return metadata;
    } catch (thrown) {
      // grpc-js reads its message, and takes its code for the call's.
      throw asError(thrown);
    }
  }

  override compose(others: CallCredentials): CallCredentials {
    return new GuardedCredentials(this.inner.compose(others), this.sent, this.#context);
  }

  override _equals(other: CallCredentials): boolean {
    return other === this;
  }
}
