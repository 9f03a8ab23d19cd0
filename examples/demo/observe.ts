import { Findings, NotSeen, type Observation } from './observation.js';
import { registryBack, registryStopped } from './registry-comes-and-goes.js';
import { allKilled, oneKilled, oneStartedAgain, threeServers } from './servers-come-and-go.js';
import type { Look, Stage } from './stage.js';

/** The six claims, in the order in which they are looked at: each begins where the one before has ended. */
function claims(registry: string): readonly (readonly [string, Look])[] {
  return [
    ['Three servers get equal numbers of calls', threeServers],
    ['One server is killed: its calls go to the other two', oneKilled],
    ['It is started again: the share is equal again', oneStartedAgain],
    [
      `${registry} is stopped: calls go on without a failure, a dead server is left out, a new one is not found, ` +
        'and the pool says that it is stale',
      registryStopped,
    ],
    [`${registry} is back: the new server is found and the dead one removed, with no restart`, registryBack],
    ['All servers are killed: calls wait; one is started: every call is answered, sent in order', allKilled],
  ];
}

/** Makes the observations one after the other. One that cannot be made to its end is not held; the next follow. */
export async function* observe(stage: Stage): AsyncGenerator<Observation, void, undefined> {
  for (const [index, [claim, look]] of claims(stage.registry.name).entries()) {
    const findings = new Findings(index + 1, claim);
    stage.say(`(${index + 1}) ${claim}.`);
    try {
      await look(stage, findings);
      yield findings.conclude();
    } catch (error) {
      if (!(error instanceof NotSeen)) throw error;
      stage.say(error.message);
      yield findings.conclude(error);
    }
  }
}
