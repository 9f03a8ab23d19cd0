import type { LeaseStore, OperationLimits } from '../../src/registry/leases.js';

/** The metadata key under which a call may carry its number, for {@link CallReport.received}. */
export const CALL_NUMBER = 'call-number';

/** Where a server process announces itself. */
export type AnnounceTo =
  | { readonly kind: 'etcd'; readonly hosts: readonly string[] }
  /** With its parent, which holds the leases: see `ipc-leases.ts`. */
  | { readonly kind: 'ipc' }
  | { readonly kind: 'nowhere' };

/** What may be wrong with a server. */
export type Ailment =
  | { readonly kind: 'none' }
  /** Every call is answered at once with this status code. */
  | { readonly kind: 'fails'; readonly code: number }
  /**
   * It works on so many calls at once, on each for a time drawn from an exponential distribution, whatever becomes of
   * the call; so many more wait for their turn, in order, and the next are refused with UNAVAILABLE.
   */
  | {
      readonly kind: 'busy';
      readonly concurrency: number;
      readonly meanMs: number;
      readonly maxWaiting: number;
    };

/** PEM. With an authority for clients, only those that show a certificate of it are let in. */
export interface ServerTls {
  readonly certificate: string;
  readonly privateKey: string;
  readonly clientAuthority?: string;
}

/** What `server-main.ts` is told on its command line, as JSON. */
export interface ServerMainOptions {
  readonly service: string;
  /** `host:port`; port 0 for any free one. */
  readonly address: string;
  readonly announceTo: AnnounceTo;
  readonly ttlSeconds?: number;
  readonly weight?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly lameDuckMs?: number;
  readonly drainTimeoutMs?: number;
  /** How much longer every answer takes, in milliseconds. */
  readonly delayMs?: number;
  /** grpc-js server options, `grpc.max_concurrent_streams` for one. */
  readonly serverOptions?: Readonly<Record<string, string | number>>;
  /** What is wrong with it from the start. Default: nothing. */
  readonly ailment?: Ailment;
  /** Serve TLS. Default: plain text. */
  readonly tls?: ServerTls;
  /** Offer `grpc.health.v1.Health`. Default false. */
  readonly health?: boolean;
  /** Keep the numbers of the calls received. Default false: nothing grows with the number of calls. */
  readonly recordNumbers?: boolean;
}

/** What a server has had so far. */
export interface CallReport {
  readonly calls: number;
  /** Calls that are being handled. */
  readonly running: number;
  /** The most that were, at any time. */
  readonly mostRunning: number;
  /** Milliseconds from listening to the first call; absent when none has come. */
  readonly firstCallAfterMs?: number;
  /** The numbers that the calls carried, in the order in which their headers arrived. */
  readonly received: readonly number[];
}

/** One operation of a `LeaseStore`, as a server asks it of its parent: the name, and all arguments but the limits. */
export type LeaseRequest = {
  [Op in keyof LeaseStore]: {
    readonly op: Op;
    readonly args: Parameters<LeaseStore[Op]> extends [...infer Args, OperationLimits] ? Args : never;
  };
}[keyof LeaseStore];

/** Spoken over an IPC channel with `serialization: 'advanced'`: revisions are bigints. */
export type FromServer =
  | { readonly kind: 'listening'; readonly address: string }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'report'; readonly seq: number; readonly report: CallReport }
  | { readonly kind: 'lease'; readonly seq: number; readonly request: LeaseRequest };

export type ToServer =
  | { readonly kind: 'ail'; readonly ailment: Ailment }
  | { readonly kind: 'serving'; readonly serving: boolean }
  /** Another certificate, for connections from now on. */
  | { readonly kind: 'certificate'; readonly certificate: string; readonly privateKey: string }
  | { readonly kind: 'report'; readonly seq: number }
  | { readonly kind: 'lease-done'; readonly seq: number; readonly result: unknown }
  | { readonly kind: 'lease-refused'; readonly seq: number; readonly message: string };
