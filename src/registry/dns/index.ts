export type { AddressRecord, Asker, Family } from './asker.js';
export { DnsRegistry } from './registry.js';
export type { DnsOptions } from './settings.js';
