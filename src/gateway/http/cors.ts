import type { FastifyCorsOptions } from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import { optional } from '../base/optional.js';

/** Lets pages of other origins call. */
export async function allowOrigins(fastify: FastifyInstance, cors: true | FastifyCorsOptions): Promise<void> {
  const { default: plugin } = await optional(() => import('@fastify/cors'), '@fastify/cors');
  await fastify.register(plugin, {
    methods: fastify.supportedMethods,
    // What a server sends as metadata has any name.
    exposedHeaders: '*',
    strictPreflight: false,
    ...(cors === true ? {} : cors),
  });
}
