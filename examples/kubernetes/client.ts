import { Pool } from 'evenkeel';
import { KubernetesRegistry } from 'evenkeel/kubernetes';
import { GreeterService } from '../../generated/helloworld.js';

// In a pod it finds the API server, its certificate and its token by itself; elsewhere it reads your kubeconfig.
await using registry = new KubernetesRegistry({ logger: console });
await using pool = new Pool({
  registry,
  // [namespace/]name[:port]: the Service `greeter` of this pod's namespace, at its port named `grpc`.
  service: process.env.GREETER ?? 'greeter:grpc',
  picker: 'least-pending',
  logger: console,
});
const greeter = pool.stub(GreeterService);

for (let n = 1; n <= 10; n++) {
  const { message } = await greeter.sayHello({ name: `world ${n}` }, { timeoutMs: 5_000 });
  console.log(message);
}
