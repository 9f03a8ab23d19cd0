import { Server } from '@grpc/grpc-js';
import type { Command } from 'commander';
import { type GreeterServer, GreeterService } from '../../generated/helloworld.js';
import { joinHostPort } from '../base/endpoint.js';
import { EtcdRegistrar } from '../registry/etcd/registrar.js';
import { serve } from '../server/serve.js';
import { parseEtcdHosts, parseHost, parsePort } from './flags.js';
import { lineLogger, print } from './lines.js';

interface Flags {
  readonly service: string;
  readonly host: string;
  readonly port: number;
  readonly advertise?: string;
  readonly reg: readonly string[];
}

/** `evenkeel server`: the greeting server, announced in etcd until a signal ends it. */
export function addServerCommand(program: Command): void {
  program
    .command('server')
    .description('serve helloworld.Greeter, announced in etcd')
    .option('--service <name>', 'the name to announce it under', 'hello_service')
    .option('--host <host>', 'where to listen', parseHost, 'localhost')
    .option('--port <port>', 'where to listen; 0 for any free port', parsePort, 50_001)
    .option('--advertise <host[:port]>', 'what to announce instead; needed with --host 0.0.0.0')
    .option(
      '--reg <urls>',
      'etcd, one or more URLs joined by commas',
      parseEtcdHosts,
      parseEtcdHosts('http://localhost:2379'),
    )
    .action(runServer);
}

async function runServer({ service, host, port, advertise, reg }: Flags): Promise<void> {
  const registrar = new EtcdRegistrar({ hosts: reg, logger: lineLogger });
  const server = new Server();
  let address = '';
  const greeter: GreeterServer = {
    sayHello(call, callback) {
      callback(null, { message: `Hello ${call.request.name} from ${address}` });
    },
  };
  server.addService(GreeterService, greeter);
  try {
    const serving = await serve(server, {
      registrar,
      service,
      address: joinHostPort(host, port),
      ...(advertise !== undefined && { advertise }),
      exit: true,
    });
    address = serving.address;
    print(`serving ${service} at ${address}`);
  } catch (error) {
    await registrar.close();
    throw error;
  }
}
