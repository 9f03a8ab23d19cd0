export { type Descriptors, readDescriptors } from './descriptors/descriptor-set.js';
export { reflectDescriptors } from './descriptors/reflection.js';
export type { GatewayService } from './http/routes.js';
export type { JsonOptions } from './json/options.js';
export type { OpenApiInfo } from './openapi/document.js';
export { type GatewayOptions, gateway } from './plugin.js';
export { type GatewayServerOptions, gatewayServer } from './server.js';
