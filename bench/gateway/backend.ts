// The server behind both fronts: greets, and nothing else.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type GreeterServer, GreeterService } from '../../generated/helloworld.js';

const greeter: GreeterServer = {
  sayHello: ({ request }, callback) => callback(null, { message: `Hello ${request.name}` }),
};
const server = new Server();
server.addService(GreeterService, greeter);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.send?.(port);
});
process.once('disconnect', () => process.exit());
