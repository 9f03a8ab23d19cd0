import { Server } from '@grpc/grpc-js';
import { serve } from 'evenkeel';
import { EtcdRegistrar } from 'evenkeel/etcd';
import { type GreeterServer, GreeterService } from '../../generated/helloworld.js';

const greeter: GreeterServer = {
  sayHello(call, callback) {
    callback(null, { message: `Hello ${call.request.name} from ${process.pid}` });
  },
};
const server = new Server();
server.addService(GreeterService, greeter);

// Announced once it listens; at SIGTERM taken out first, then its calls finish, then it exits.
const serving = await serve(server, {
  registrar: new EtcdRegistrar({ hosts: 'http://localhost:2379' }),
  service: 'hello_service',
  address: 'localhost:0',
  exit: true,
});
console.log(`serving at ${serving.address}`);
