import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { APPLIED_CHANNEL, type Applied } from '../../src/registry/etcd/applied.js';

/**
 * Which revisions the watch of a service has applied. Where nothing but its keys is ever written to the store, every
 * revision after a session's snapshot is a change of it: one that is left out was missed, one that comes again was
 * applied twice.
 */
export class AppliedRevisions implements Disposable {
  /** Sessions that got as far as a snapshot. */
  sessions = 0;
  missed = 0;
  twice = 0;
  /** The newest one: of a change, or of the snapshot. */
  newest = 0n;
  readonly #keysBegin: string;
  readonly #hear = (message: unknown) => this.#heard(message as Applied);

  constructor(keysBegin: string) {
    this.#keysBegin = keysBegin;
    subscribe(APPLIED_CHANNEL, this.#hear);
  }

  [Symbol.dispose](): void {
    unsubscribe(APPLIED_CHANNEL, this.#hear);
  }

  #heard(message: Applied): void {
    if (message.keysBegin !== this.#keysBegin) return;
    if (message.kind === 'snapshot') {
      this.sessions++;
      this.newest = message.revision;
      return;
    }
    // Changes of one transaction have one revision, and come in one message.
    const before = this.newest;
    for (const revision of message.revisions) {
      if (revision <= before) this.twice++;
      if (revision > this.newest + 1n) this.missed += Number(revision - this.newest - 1n);
      if (revision > this.newest) this.newest = revision;
    }
  }
}
