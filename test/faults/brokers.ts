import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, startCluster } from '../../broker/cluster.ts';
import { type Front, freePorts } from '../../broker/properties.ts';
import { TwhinError } from '../../src/errors/errors.ts';

/** Brokers of a suite, and the doors to each that a proxy can stand before. */
export interface SuiteBrokers extends Cluster {
  readonly fronts: Front[];
  /** Holds a folder of each. */
  readonly dir: string;
}

/** Sessions of groups may be short, so that a killed reader's is over soon. */
const SHORT_SESSIONS = { 'group.min.session.timeout.ms': '1000' };

/** Who is denied something is refused. One broker alone: among several, none is allowed to vote before there is a leader. */
const AUTHORIZER = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'true',
};

const ATTEMPTS = 3;

/** Starts as many brokers as asked, in a folder of their own that goes with them. */
export async function startSuiteBrokers(size: number): Promise<SuiteBrokers> {
  for (let attempt = 1; ; attempt++) {
    const dir = await mkdtemp(join(tmpdir(), 'twhin-faults-'));
    const fronts: Front[] = [];
    for (let number = 0; number < size; number++) {
      const { broker, controller } = await freePorts();
      fronts.push({ listens: broker, advertised: controller });
    }
    const settings = { ...SHORT_SESSIONS, ...(size === 1 ? AUTHORIZER : {}) };
    try {
      const cluster = await startCluster({ dir, size, settings, fronts });
      const stop = async (): Promise<void> => {
        await cluster.stop();
        await rm(dir, { recursive: true, force: true });
      };
      return { ...cluster, stop, fronts, dir };
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      // A port that was free a moment ago can be someone's by now.
      const again = error instanceof TwhinError && error.code === 'broker-start';
      if (!again || attempt === ATTEMPTS) throw error;
    }
  }
}
