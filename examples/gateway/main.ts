import { readFileSync } from 'node:fs';
import { Pool } from 'evenkeel';
import { EtcdRegistry } from 'evenkeel/etcd';
import { gateway, readDescriptors } from 'evenkeel/gateway';
import { fastify } from 'fastify';

const registry = new EtcdRegistry({ hosts: 'http://localhost:2379' });
const pool = new Pool({ registry, service: 'hello_service', picker: 'least-pending' });
const descriptors = readDescriptors(readFileSync('image.binpb'));

const app = fastify();
app.get('/', async () => 'greetings are at /api/hello');
await app.register(gateway, { prefix: '/api', services: [{ pool, descriptors }] });
await app.listen({ port: 8080 });
