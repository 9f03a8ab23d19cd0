import { Pool } from 'evenkeel';
import { DnsRegistry } from 'evenkeel/dns';
import { GreeterService } from '../../generated/helloworld.js';

await using registry = new DnsRegistry({ logger: console });
await using pool = new Pool({
  registry,
  // A name and a port, or `_service._tcp.domain` for SRV. Names are absolute.
  service: process.env.GREETER ?? 'greeter.default.svc.cluster.local:50051',
  picker: 'least-pending',
  logger: console,
});
const greeter = pool.stub(GreeterService);

for (let n = 1; n <= 10; n++) {
  const { message } = await greeter.sayHello({ name: `world ${n}` }, { timeoutMs: 5_000 });
  console.log(message);
}
