import type { Scenario } from '../scenario.js';
import { allDown } from './all-down.js';
import { asyncContext } from './async-context.js';
import { badPeers } from './bad-peers.js';
import { failingServer } from './failing-server.js';
import { fastFailing } from './fast-failing.js';
import { forceStopped } from './force-stopped.js';
import { million } from './million.js';
import { notTheirFault } from './not-their-fault.js';
import { overload } from './overload.js';
import { rollingKill } from './rolling-kill.js';
import { rollingRestart } from './rolling-restart.js';
import { silentConnections } from './silent-connections.js';
import { slowServer } from './slow-server.js';
import { stoppedServer } from './stopped-server.js';
import { streamLimit } from './stream-limit.js';
import { tlsRotation } from './tls-rotation.js';
import { unsendableMetadata } from './unsendable-metadata.js';

export const scenarios: readonly Scenario[] = [
  rollingRestart,
  rollingKill,
  stoppedServer,
  failingServer,
  slowServer,
  overload,
  allDown,
  badPeers,
  streamLimit,
  tlsRotation,
  unsendableMetadata,
  asyncContext,
  forceStopped,
  fastFailing,
  notTheirFault,
  silentConnections,
  million,
];
