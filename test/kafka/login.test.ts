import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { KafkaAdmin, KafkaLeadership, KafkaLog, KafkaSink } from '../../src/adapters/kafka/kafka.ts';
import type { SaslSettings } from '../../src/adapters/kafka/settings.ts';
import { quiet } from './apart.ts';
import { Collector, freshTopic, numbered, until } from './collector.ts';
import { NO_JARS, ownBroker } from './own-broker.ts';

const SECURITY = 'org.apache.kafka.common.security';

/** An unsigned token, which the broker of this test accepts. */
function unsecuredToken(user: string): string {
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  return `${part({ alg: 'none' })}.${part({ sub: user, iat: now, exp: now + 3600 })}.`;
}

/** A separate broker, at which clients must log in. */
describe.skipIf(NO_JARS)('logging in', () => {
  const own = ownBroker({
    jarsOnly: true,
    mechanisms: 'PLAIN,OAUTHBEARER',
    settings: {
      'listener.name.front.plain.sasl.jaas.config': `${SECURITY}.plain.PlainLoginModule required user_twhin="right";`,
      'listener.name.front.oauthbearer.sasl.jaas.config': `${SECURITY}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
    },
  });

  const settingsOf = (sasl: SaslSettings) => ({ brokers: [own.door], clientId: 'login', sasl });
  const plain = (password: string) => settingsOf({ mechanism: 'plain', username: 'twhin', password });
  /** One of each client, for a test. */
  const clients = (settings: ReturnType<typeof settingsOf>, topic: string) => {
    const admin = new KafkaAdmin(settings);
    const sink = new KafkaSink(settings, { giveUpMs: 5_000 }, quiet);
    const log = new KafkaLog(settings, {}, quiet);
    const leadership = new KafkaLeadership(settings, { groupId: `g-${topic}`, topics: [topic] }, quiet);
    onTestFinished(async () => {
      await Promise.all([admin.close(), sink.stop(), log.close(), leadership.stop()]);
    });
    return { admin, sink, log, leadership };
  };
  /** Writes, reads and leads. */
  const works = async (settings: ReturnType<typeof settingsOf>): Promise<void> => {
    const topic = freshTopic('login');
    const { admin, sink, log, leadership } = clients(settings, topic);
    await admin.create([{ name: topic, partitions: 2, configs: {} }]);
    await sink.publish(numbered(topic, 100, 10));
    const collector = new Collector();
    await log.follow([topic], collector);
    await until('all records', () => collector.records.length === 100);
    await leadership.join({ position: () => undefined, failed: quiet });
    await leadership.confirm();
  };
  /** The error of each way of using Kafka. */
  const refusals = async (settings: ReturnType<typeof settingsOf>): Promise<unknown[]> => {
    const { admin, sink, log, leadership } = clients(settings, 't');
    const caught = (error: unknown) => error;
    const candidate = { position: () => undefined, failed: quiet };
    return Promise.all([
      admin.info().catch(caught),
      log.follow(['t'], new Collector()).catch(caught),
      leadership.join(candidate).catch(caught),
      sink.publish(numbered('t', 1, 1)).catch(caught),
    ]);
  };

  test('with the right password everything works', () => works(plain('right')));

  test('a wrong password is reported as a wrong password by every part, and is fatal', async () => {
    for (const error of await refusals(plain('wrong'))) {
      expect(error).toMatchObject({ name: 'FatalError', code: 'broker-refused' });
      expect(String(error)).toMatch(new RegExp(`${own.door} refused the login: .*user name and password`));
      expect(String(error)).not.toMatch(/right|wrong/);
    }
  });

  test('a mechanism that the brokers do not offer is reported as such', async () => {
    const scram = settingsOf({ mechanism: 'scram-sha-256', username: 'twhin', password: 'right' });
    for (const error of await refusals(scram)) {
      expect(error).toMatchObject({ name: 'FatalError', code: 'broker-refused' });
      expect(String(error)).toMatch(/mechanism/);
    }
  });

  test('with a bearer token everything works; the file of the token is read again for each login', async () => {
    await works(settingsOf({ mechanism: 'oauthbearer', token: unsecuredToken('twhin') }));
    const file = join(own.dir, 'token');
    await writeFile(file, `${unsecuredToken('twhin')}\n`);
    await works(settingsOf({ mechanism: 'oauthbearer', token: { file } }));
  });

  test('a refused token and a missing file of a token are reported as such', async () => {
    const old = settingsOf({ mechanism: 'oauthbearer', token: 'no.token.at-all' });
    for (const error of await refusals(old)) {
      expect(error).toMatchObject({ name: 'FatalError', code: 'broker-refused' });
    }
    const file = join(own.dir, 'missing');
    for (const error of await refusals(settingsOf({ mechanism: 'oauthbearer', token: { file } }))) {
      expect(error).toMatchObject({ name: 'UsageError' });
      expect(String(error)).toContain(file);
    }
  });
});
