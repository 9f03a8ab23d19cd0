import { Status } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import { exponential, unit } from '../scenario/distribution.js';
import type { Plan } from '../scenario/plan.js';
import type { TimelineEntry } from '../scenario/timeline-entries.js';
import type { Agenda } from './agenda.js';
import type { Connections } from './connections.js';
import type { News } from './news.js';
import type { Servers } from './servers.js';

/** What the timeline acts on. */
export interface Stage {
  readonly agenda: Agenda;
  readonly servers: Servers;
  readonly connections: Connections;
  readonly news: News;
  readonly random: Random;
}

/** A call that a fault fails is answered after this, unless the fault says otherwise. */
const FAST_MS = 1;

/** Puts down everything that befalls the servers. */
export function schedule(plan: Plan, stage: Stage): void {
  for (const entry of plan.timeline) {
    if (entry.kind === 'join') for (const server of entry.servers) stage.servers.setUp(server, false);
    stage.agenda.after(entry.atMs, () => {
      for (const server of entry.servers) begin(entry, server, stage, plan);
    });
    if ('forMs' in entry && entry.forMs !== undefined) {
      stage.agenda.after(entry.atMs + entry.forMs, () => {
        for (const server of entry.servers) end(entry, server, stage);
      });
    }
  }
  for (const [server, { antagonist }] of plan.servers.entries()) {
    if (antagonist !== undefined) harass(server, antagonist, stage);
  }
}

function begin(entry: TimelineEntry, server: number, stage: Stage, plan: Plan): void {
  const { servers, news } = stage;
  switch (entry.kind) {
    case 'slow':
      servers.scaleSpeed(server, 1 / entry.by);
      break;
    case 'latency':
      servers.setLatency(server, entry.ms);
      break;
    case 'stop':
      servers.setStopped(server, true);
      break;
    case 'fail': {
      const { probability, code = 'UNAVAILABLE', ms = FAST_MS } = entry;
      servers.setFailing(server, { probability, code: Status[code], ms });
      break;
    }
    case 'down':
      kill(server, stage);
      // One that is back before its lease has run out has it renewed.
      if ((entry.forMs ?? Number.POSITIVE_INFINITY) > plan.leaseMs) {
        stage.agenda.after(plan.leaseMs, () => news.remove(server));
      }
      break;
    case 'join':
      servers.setUp(server, true);
      news.put(server);
      break;
    case 'leave':
      news.remove(server);
      stage.agenda.after(entry.lingerMs ?? plan.table.drainTimeoutMs, () => kill(server, stage));
      break;
  }
}

function end(entry: TimelineEntry, server: number, { servers, connections, news }: Stage): void {
  switch (entry.kind) {
    case 'slow':
      servers.scaleSpeed(server, entry.by);
      break;
    case 'latency':
      servers.setLatency(server, undefined);
      break;
    case 'stop':
      servers.setStopped(server, false);
      connections.resumed(server);
      break;
    case 'fail':
      servers.setFailing(server, undefined);
      break;
    case 'down':
      servers.setUp(server, true);
      news.put(server);
      break;
  }
}

function kill(server: number, { servers, connections }: Stage): void {
  servers.setUp(server, false);
  connections.lost(server);
}

/** Slows the server down now and then, for ever; at the start as it would be found at any time. */
function harass(
  server: number,
  { slowBy, forMs, everyMs }: NonNullable<Plan['servers'][number]['antagonist']>,
  { agenda, servers, random }: Stage,
): void {
  const slow = () => {
    servers.scaleSpeed(server, 1 / slowBy);
    agenda.after(forMs * exponential(random), fast);
  };
  const fast = () => {
    servers.scaleSpeed(server, slowBy);
    agenda.after((everyMs - forMs) * exponential(random), slow);
  };
  if (unit(random) < forMs / everyMs) slow();
  else agenda.after((everyMs - forMs) * exponential(random), slow);
}
