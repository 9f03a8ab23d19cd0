// One server of a scenario, in a process of its own: a real grpc-js server, whose handler takes as long as the simulator's
// server would. Ends with its parent.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type EchoServer, EchoService } from '../../generated/evenkeel/echo/v1/echo.js';
import { planOf } from '../../src/simulator/scenario/plan.js';
import { LiveServer } from './live-server.js';
import type { FromPoliciesServer, PoliciesServerOptions, ToPoliciesServer } from './server-protocol.js';

const { scenario, server: index } = JSON.parse(process.argv[2] ?? '') as PoliciesServerOptions;
const plan = planOf(scenario, () => {
  throw new Error('the small scenarios have no files');
});
const tell = (message: FromPoliciesServer) => process.send?.(message);
let live = new LiveServer(plan, index, 0);

const unimplemented = () => {
  throw new Error('the bench makes unary calls only');
};
const echo: EchoServer = {
  unary(call, callback) {
    const cancel = live.serve((code) => {
      if (code === 0) callback(null, { payload: call.request.payload, server: '', seen: 1 });
      else callback({ code, details: 'as the scenario has it' });
    });
    call.on('cancelled', cancel);
  },
  serverStream: unimplemented,
  clientStream: unimplemented,
  bidi: unimplemented,
};

process.on('message', (message: ToPoliciesServer) => {
  switch (message.kind) {
    case 'begin':
      live.stop();
      live = new LiveServer(plan, index, message.seed);
      tell({ kind: 'begun' });
      break;
    case 'report':
      tell({ kind: 'report', calls: live.calls });
      break;
  }
});
process.once('disconnect', () => process.exit());

const server = new Server();
server.addService(EchoService, echo);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  tell({ kind: 'listening', address: `127.0.0.1:${port}` });
});
