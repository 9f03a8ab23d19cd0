import type { ChannelInterface } from '@grpc/grpc-js';

// Types of grpc-js's for which it exports no name.

/** A call of a channel: what a generated client drives, and what grpc-js's own channels make. */
export type GrpcJsCall = ReturnType<ChannelInterface['createCall']>;

/** What a channel is asked for a call with. */
export type CreateCall = Parameters<ChannelInterface['createCall']>;

/** What is said of a message: its write flags, and who hears that it was written. */
export type MessageContext = Parameters<GrpcJsCall['sendMessageWithContext']>[0];

/** `WriteFlags.NoCompress`: the message is not to be compressed. */
export const NO_COMPRESS = 2;
