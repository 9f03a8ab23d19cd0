// The program that `ServerProcess` starts: one grpc-js server with the Greeter and Echo services.
import { Server, ServerCredentials, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { EchoService } from '../../generated/evenkeel/echo/v1/echo.js';
import { GreeterService } from '../../generated/helloworld.js';
import { systemClock } from '../../src/clock.js';
import { asError } from '../../src/errors.js';
import { silentLogger } from '../../src/logger.js';
import { systemRandom } from '../../src/random.js';
import { DEFAULT_PREFIX } from '../../src/registry/keys.js';
import { LeaseRegistrar } from '../../src/registry/registrar.js';
import type { Registrar } from '../../src/registry/registry.js';
import { formatAddress, parseListenAddress } from '../../src/server/address.js';
import { listen } from '../../src/server/listen.js';
import { serve } from '../../src/server/serve.js';
import { parentLeases } from './ipc-leases.js';
import {
  type AnnounceTo,
  CALL_NUMBER,
  type FromServer,
  type ServerMainOptions,
  type ToServer,
} from './server-protocol.js';
import { echo, greeter } from './services.js';

const options = JSON.parse(process.argv[2] ?? '') as ServerMainOptions;
const { announceTo, delayMs = 0, serverOptions, recordNumbers = false } = options;

let address = options.address;
let listeningAt = 0;
let calls = 0;
let firstCallAfterMs: number | undefined;
const received: number[] = [];

/** Counts calls as their headers arrive: the order in which they were sent. Messages may arrive in another. */
const counter: ServerInterceptor = (_method, call) =>
  new ServerInterceptingCall(call, {
    start(next) {
      next({
        onReceiveMetadata(metadata, deliver) {
          calls += 1;
          firstCallAfterMs ??= performance.now() - listeningAt;
          const [number] = metadata.get(CALL_NUMBER);
          if (recordNumbers && number !== undefined) received.push(Number(number));
          deliver(metadata);
        },
      });
    },
  });

const server = new Server({ ...serverOptions, interceptors: [counter] });
const services = { address: () => address, delayMs };
server.addService(GreeterService, greeter(services));
server.addService(EchoService, echo(services));

process.on('message', (message: ToServer) => {
  if (message.kind !== 'report') return;
  const report = { calls, received, ...(firstCallAfterMs !== undefined && { firstCallAfterMs }) };
  tell({ kind: 'report', seq: message.seq, report });
});
// Its parent has gone, by whatever way: nobody is left to end it.
process.once('disconnect', () => process.exit(1));

try {
  const registrar = await registrarFor(announceTo);
  if (registrar === undefined) {
    address = formatAddress(
      await listen(server, parseListenAddress(options.address), ServerCredentials.createInsecure()),
    );
  } else {
    const serving = await serve(server, { ...options, registrar, exit: true });
    address = serving.address;
  }
  listeningAt = performance.now();
  tell({ kind: 'listening', address });
} catch (thrown) {
  tell({ kind: 'failed', message: asError(thrown).message });
}

async function registrarFor(where: AnnounceTo): Promise<Registrar | undefined> {
  switch (where.kind) {
    case 'nowhere':
      return undefined;
    case 'etcd': {
      // Loaded only where it is needed: it takes longer than all the rest together.
      const { EtcdRegistrar } = await import('../../src/registry/etcd/registrar.js');
      return new EtcdRegistrar({ hosts: where.hosts });
    }
    case 'ipc':
      return new LeaseRegistrar({
        leases: parentLeases(),
        prefix: DEFAULT_PREFIX,
        clock: systemClock,
        random: systemRandom(),
        logger: silentLogger,
      });
  }
}

function tell(message: FromServer): void {
  process.send?.(message);
}
