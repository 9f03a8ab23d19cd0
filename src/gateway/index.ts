export { type Descriptors, readDescriptors } from './descriptors.js';
export type { OpenApiInfo } from './openapi.js';
export { type GatewayOptions, gateway } from './plugin.js';
export { reflectDescriptors } from './reflection.js';
export type { GatewayService } from './routes.js';
export { type GatewayServerOptions, gatewayServer } from './server.js';
export type { JsonOptions } from './transcoder.js';
