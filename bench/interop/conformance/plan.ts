import type { Metadata } from '@grpc/grpc-js';
import type { MethodDefinition } from '../../../src/index.js';
import {
  type BidiStreamResponse,
  ConformanceServiceService,
} from '../generated/connectrpc/conformance/v1/service.js';

/** A message of the conformance service that answers. */
export type Answer = BidiStreamResponse;

/** When a call is cancelled by its caller. */
export type Cancel =
  | { readonly kind: 'never' }
  | { readonly kind: 'before-close' }
  | { readonly kind: 'after-close'; readonly ms: number }
  | { readonly kind: 'after-responses'; readonly count: number };

/** A call that the runner asks for. */
export interface Plan {
  /** As the stub and the generated client name it. */
  readonly method: keyof typeof ConformanceServiceService;
  readonly metadata: Metadata;
  readonly requests: readonly unknown[];
  /** Before each message of a stream. */
  readonly delayMs: number;
  readonly timeoutMs: number | undefined;
  readonly cancel: Cancel;
  /** Each message is sent when the answer to the one before has come. */
  readonly fullDuplex: boolean;
}

/** How it went. */
export interface Outcome {
  headers: Metadata | undefined;
  readonly answers: Answer[];
  /** How many requests were sent. */
  sent: number;
  status: { readonly code: number; readonly details: string; readonly metadata: Metadata } | undefined;
}

export type MakeCall = (plan: Plan, outcome: Outcome) => Promise<void>;

/** The definition of a method, whatever its messages are. */
export function definitionOf(method: Plan['method']): MethodDefinition<unknown, Answer> {
  return ConformanceServiceService[method] as unknown as MethodDefinition<unknown, Answer>;
}
