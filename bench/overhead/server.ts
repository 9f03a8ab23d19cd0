// The server of the overhead bench: answers a unary echo with what it was sent, and nothing else, on so many ports.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type EchoServer, EchoService } from '../../generated/evenkeel/echo/v1/echo.js';

const unimplemented = () => {
  throw new Error('the bench makes unary calls only');
};
const echo: EchoServer = {
  unary: ({ request }, callback) => callback(null, { payload: request.payload, server: '', seen: 1 }),
  serverStream: unimplemented,
  clientStream: unimplemented,
  bidi: unimplemented,
};
const server = new Server();
server.addService(EchoService, echo);
const bind = (): Promise<string> =>
  new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(`127.0.0.1:${port}`);
      else reject(error);
    });
  });
const addresses: string[] = [];
for (let ports = Number(process.argv[2]); ports > 0; ports--) addresses.push(await bind());
process.send?.(addresses);
process.once('disconnect', () => process.exit());
