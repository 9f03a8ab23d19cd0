export { KubernetesRegistry } from './registry.js';
export type { KubernetesOptions } from './settings.js';
