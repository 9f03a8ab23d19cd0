// The echo service on grpc-js: `server.js DESCRIPTORS [CERTIFICATE KEY]`. Says where it listens; SIGTERM stops it gracefully,
// the end of its standard input at once.
import { readFileSync } from 'node:fs';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';
import { echo } from '../../../test/support/services.js';

const MAX_CONCURRENT_STREAMS = 10;

const [, certificate, key] = process.argv.slice(2);
const credentials =
  certificate === undefined || key === undefined
    ? ServerCredentials.createInsecure()
    : ServerCredentials.createSsl(null, [
        { cert_chain: readFileSync(certificate), private_key: readFileSync(key) },
      ]);
const server = new Server({
  'grpc.max_concurrent_streams': MAX_CONCURRENT_STREAMS,
  'grpc.default_compression_algorithm': 2,
});
let address = '';
server.addService(EchoService, echo({ address: () => address }));
server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
  if (error !== null) throw error;
  address = `127.0.0.1:${port}`;
  console.log(`listening ${address}`);
});
process.once('SIGTERM', () => server.tryShutdown(() => process.exit(0)));
process.stdin.once('end', () => process.exit(0)).resume();
