import type { LeaseStore, OperationLimits } from '../../src/registry/leases.js';

/** The metadata key under which a call may carry its number, for {@link CallReport.received}. */
export const CALL_NUMBER = 'call-number';

/** Where a server process announces itself. */
export type AnnounceTo =
  | { readonly kind: 'etcd'; readonly hosts: readonly string[] }
  /** With its parent, which holds the leases: see `ipc-leases.ts`. */
  | { readonly kind: 'ipc' }
  | { readonly kind: 'nowhere' };

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
  /** Keep the numbers of the calls received. Default false: nothing grows with the number of calls. */
  readonly recordNumbers?: boolean;
}

/** What a server has had so far. */
export interface CallReport {
  readonly calls: number;
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
  | { readonly kind: 'report'; readonly seq: number }
  | { readonly kind: 'lease-done'; readonly seq: number; readonly result: unknown }
  | { readonly kind: 'lease-refused'; readonly seq: number; readonly message: string };
