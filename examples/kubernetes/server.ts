import { hostname } from 'node:os';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type GreeterServer, GreeterService } from '../../generated/helloworld.js';

const greeter: GreeterServer = {
  sayHello(call, callback) {
    callback(null, { message: `Hello ${call.request.name} from ${hostname()}` });
  },
};
const server = new Server();
server.addService(GreeterService, greeter);

server.bindAsync('0.0.0.0:50051', ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
});

// The kubelet has said SIGTERM, and clients are about to hear of it: serve on for a moment, then let calls finish.
process.once('SIGTERM', () => {
  setTimeout(() => server.tryShutdown(() => process.exit(0)), 2_000);
});
