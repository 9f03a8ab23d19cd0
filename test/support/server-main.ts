// The program that `ServerProcess` starts: one grpc-js server with the Greeter and Echo services.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { EchoService } from '../../generated/evenkeel/echo/v1/echo.js';
import { GreeterService } from '../../generated/helloworld.js';
import { systemClock } from '../../src/base/clock.js';
import { asError } from '../../src/base/errors.js';
import { silentLogger } from '../../src/base/logger.js';
import { systemRandom } from '../../src/base/random.js';
import { DEFAULT_PREFIX } from '../../src/registry/keys.js';
import { LeaseRegistrar } from '../../src/registry/registrar.js';
import type { Registrar } from '../../src/registry/registry.js';
import { formatAddress, parseListenAddress } from '../../src/server/address.js';
import { Health } from '../../src/server/health.js';
import { listen } from '../../src/server/listen.js';
import { serve } from '../../src/server/serve.js';
import { Ailing } from './ailing.js';
import { butForHealth, CallCounter } from './call-counter.js';
import { parentLeases } from './ipc-leases.js';
import { RotatingIdentity, serverCredentials } from './rotating-tls.js';
import type { AnnounceTo, FromServer, ServerMainOptions, ToServer } from './server-protocol.js';
import { echo, greeter } from './services.js';

const options = JSON.parse(process.argv[2] ?? '') as ServerMainOptions;
const {
  announceTo,
  delayMs = 0,
  serverOptions,
  recordNumbers = false,
  ailment,
  tls,
  health: offersHealth = false,
  ...announced
} = options;

let address = options.address;
let listeningAt = 0;
const counter = new CallCounter(recordNumbers);
const ailing = new Ailing(ailment);
const health = offersHealth ? new Health() : undefined;
const identity = tls && new RotatingIdentity(tls.certificate, tls.privateKey);
const credentials = identity ? serverCredentials(identity, tls) : ServerCredentials.createInsecure();

const interceptors = [counter.interceptor, ailing.interceptor].map(butForHealth);
const server = new Server({ ...serverOptions, interceptors });
const services = { address: () => address, delayMs };
server.addService(GreeterService, greeter(services));
server.addService(EchoService, echo(services));

process.on('message', (message: ToServer) => {
  switch (message.kind) {
    case 'report':
      tell({ kind: 'report', seq: message.seq, report: counter.report(listeningAt) });
      break;
    case 'ail':
      ailing.set(message.ailment);
      break;
    case 'serving':
      health?.set('', message.serving);
      break;
    case 'certificate':
      identity?.rotate(message.certificate, message.privateKey);
      break;
  }
});
// Its parent has gone, by whatever way: nobody is left to end it.
process.once('disconnect', () => process.exit(1));

try {
  const registrar = await registrarFor(announceTo);
  if (registrar === undefined) {
    health?.addTo(server);
    const bound = await listen(server, parseListenAddress(options.address), credentials);
    address = formatAddress(bound.address);
  } else {
    const serving = await serve(server, {
      ...announced,
      registrar,
      credentials,
      exit: true,
      ...(health !== undefined && { health }),
    });
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
