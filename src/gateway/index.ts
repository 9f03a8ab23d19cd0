export { type Descriptors, readDescriptors } from './descriptors/descriptors.js';
export { reflectDescriptors } from './descriptors/reflection.js';
export { type GatewayServerOptions, gatewayServer } from './http/server.js';
export type { OpenApiInfo } from './openapi/openapi.js';
export { type GatewayOptions, gateway } from './plugin.js';
export type { GatewayService } from './rules/routes.js';
export type { JsonOptions } from './rules/transcoder.js';
