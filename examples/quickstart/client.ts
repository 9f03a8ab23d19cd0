import { Pool } from 'evenkeel';
import { EtcdRegistry } from 'evenkeel/etcd';
import { GreeterService } from '../../generated/helloworld.js';

const pool = new Pool({
  registry: new EtcdRegistry({ hosts: 'http://localhost:2379' }),
  service: 'hello_service',
  picker: 'round-robin',
});
const greeter = pool.stub(GreeterService);

for (let n = 1; n <= 10; n++) {
  const { message } = await greeter.sayHello({ name: `world ${n}` }, { timeoutMs: 5_000 });
  console.log(message);
}
await pool.close();
