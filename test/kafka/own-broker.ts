import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, inject } from 'vitest';
import { freePorts } from '../../broker/properties.ts';
import { type Broker, type StartOptions, startBroker } from '../../broker/start.ts';

/** Whether tests of own brokers are skipped: where none can be started. With CI=true they fail instead. */
export const NO_JARS = !inject('jars') && process.env['CI'] !== 'true';

/** A broker that the tests of one file have to themselves. */
export interface OwnBroker {
  readonly broker: Broker;
  /** Its folder. */
  readonly dir: string;
  /** host:port where clients must log in. */
  readonly door: string;
}

/** Starts a broker before the tests of the file, or of the group, that calls it. mechanisms: those of logins at its door. */
export function ownBroker(
  { mechanisms, settings = {}, ...options }: Partial<StartOptions> & { mechanisms?: string } = {
    jarsOnly: true,
  },
): OwnBroker {
  const own: { broker?: Broker; dir: string; door: string } = { dir: '', door: '' };
  beforeAll(async () => {
    own.dir = await mkdtemp(join(tmpdir(), 'twhin-own-'));
    const { broker: port } = await freePorts();
    own.door = `127.0.0.1:${port}`;
    const front = { listens: port, advertised: port };
    const map = 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,FRONT:SASL_PLAINTEXT';
    own.broker = await startBroker({
      ...{ ...options, dir: own.dir, settings },
      ...(mechanisms !== undefined && {
        front,
        settings: {
          ...settings,
          'listener.security.protocol.map': map,
          'sasl.enabled.mechanisms': mechanisms,
        },
      }),
    });
  });
  afterAll(async () => {
    await own.broker?.stop();
    await rm(own.dir, { recursive: true, force: true });
  });
  return {
    get broker(): Broker {
      if (own.broker === undefined) throw new Error('a broker is there in tests and their hooks alone');
      return own.broker;
    },
    get dir() {
      return own.dir;
    },
    get door() {
      return own.door;
    },
  };
}
