import kafkajs, { type AclEntry } from 'kafkajs';
import { expect, onTestFinished, test } from 'vitest';
import { NO_JARS, ownBroker } from '../kafka/own-broker.ts';
import { statusAt } from './answers.ts';
import { deployed } from './deployed.ts';
import { withAdmin } from './topic-ends.ts';
import { type Twhin, until } from './twhin.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule';
const SHARDS = 2;
const USERS = 40;
const EVENTS = ['engagement', 'ad-click', 'search', 'erasure'];
const CONFIG = `model: { dim: 16 }, limits: { maxEntities: 10_000 }, graphs: { engagement: { shards: ${SHARDS} } },`;

const READS = ['READ', 'DESCRIBE', 'DESCRIBE_CONFIGS'] as const;
type Operation = (typeof READS)[number] | 'WRITE';
/** Rights of one user: on topics, groups and transactional ids, without the prefix. */
interface Rights {
  readonly topics: Readonly<Record<string, readonly Operation[]>>;
  readonly groups: readonly string[];
  /** Groups that are only asked whether they are led. */
  readonly asked?: readonly string[];
  readonly transactionalIds: readonly string[];
}
const reading = (topics: readonly string[]) =>
  Object.fromEntries(topics.map((topic) => [topic, READS] as const));
/** As the table of docs/deploy.md has them. */
const SHARD: Rights = {
  topics: {
    ...reading(EVENTS),
    'edges.engagement': [...READS, 'WRITE'],
    'exchange.engagement': [...READS, 'WRITE'],
    'embeddings.engagement': [...READS, 'WRITE'],
    'model.engagement': [...READS, 'WRITE'],
    'dead-letter': ['WRITE', 'DESCRIBE'],
  },
  groups: ['engagement-0', 'engagement-1', 'engagement.routers'],
  asked: ['engagement'],
  transactionalIds: ['engagement-0', 'engagement-1'],
};

const own = ownBroker({
  jarsOnly: true,
  mechanisms: 'PLAIN',
  settings: {
    'listener.name.front.plain.sasl.jaas.config': `${PLAIN} required user_router="r" user_shard="s" user_looker="l" user_stranger="n";`,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // The broker itself, and whoever comes in by the door without a login.
    'super.users': 'User:ANONYMOUS',
  },
});

function entries(
  here: Twhin,
  user: string,
  { topics, groups, asked = [], transactionalIds }: Rights,
): AclEntry[] {
  const entry = (resourceType: number, name: string, operation: Operation): AclEntry => ({
    resourceType,
    resourceName: here.topic(name),
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: `User:${user}`,
    host: '*',
    operation: AclOperationTypes[operation],
    permissionType: AclPermissionTypes.ALLOW,
  });
  const on = (resourceType: number, names: readonly string[], operations: readonly Operation[]) =>
    names.flatMap((name) => operations.map((operation) => entry(resourceType, name, operation)));
  return [
    ...Object.entries(topics).flatMap(([name, operations]) => on(AclResourceTypes.TOPIC, [name], operations)),
    ...on(AclResourceTypes.GROUP, groups, ['READ', 'DESCRIBE']),
    ...on(AclResourceTypes.GROUP, asked, ['DESCRIBE']),
    ...on(AclResourceTypes.TRANSACTIONAL_ID, transactionalIds, ['WRITE', 'DESCRIBE']),
  ];
}

/** The same deployment, as a user that logs in. */
function as(here: Twhin, username: string, password: string): Twhin {
  const there = here.elsewhere({
    KAFKA_BROKERS: own.door,
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password,
  });
  onTestFinished(() => there.remove());
  return there;
}

const likes = Array.from({ length: USERS }, (_, i) => ({
  userId: `u${i}`,
  tweetId: `${i % 30}`,
  action: 'like',
  at: 1_700_000_000_000 + i,
}));

const it = test.skipIf(NO_JARS);
it('shards do all their work with the rights that docs/deploy.md lists, and are told which one they lack', async () => {
  const open = own.broker.brokers;
  const here = await deployed(CONFIG, open);
  await here.ok(['topics', 'apply']);
  await here.feed('engagement', likes);
  await here.ok(['feed', '-', '--topic', 'engagement', '--raw'], { stdin: '{"broken\n' });
  const groups = SHARD.groups.filter((name) => name !== 'engagement.routers');
  const acl = [...entries(here, 'shard', SHARD), ...entries(here, 'router', { ...SHARD, groups })];
  await withAdmin(open, (admin) => admin.createAcls({ acl }));

  const http = ['--graph', 'engagement', '--http', '127.0.0.1:0'];
  const run = as(here, 'shard', 's').start(['run', ...http]);
  const url = await run.url();
  await until('both shards have published what they learned', async () => {
    const { graphs, routers } = await statusAt(url);
    const routed = routers.some(
      ({ events, lag }) => events > USERS && lag.every(({ records }) => records === 0),
    );
    return (
      routed && graphs.length === SHARDS && graphs.every(({ ready, published }) => ready && published > 0)
    );
  });
  const committed = async () => {
    const groupId = here.topic('engagement.routers');
    const offsets = await withAdmin(open, (admin) => admin.fetchOffsets({ groupId }));
    return offsets
      .flatMap(({ partitions }) => partitions)
      .reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
  };
  await until('tools for lag see how far the routers are', async () => (await committed()) === USERS + 1);
  await run.stop();
  expect(run.stderr).not.toMatch(/authori[sz]/i);

  // A user without the right on the group of the routers.
  const ended = await as(here, 'router', 'r').start(['run', '--graph', 'engagement', '--http', 'off']).ended;
  expect(ended.code).not.toBe(0);
  expect(ended.stderr).toContain(
    `grant READ and DESCRIBE on group ${here.topic('engagement.routers')} to router`,
  );
});

it('a right that is missing is told by its name, in every command that needs it, and never as brokers out of reach', async () => {
  const open = own.broker.brokers;
  const here = await deployed(`model: { dim: 16 }, graphs: { follow: {} },`, open);
  await here.ok(['topics', 'apply']);
  await here.feed('follow', [{ followerId: 'a', followedId: 'b', action: 'follow', at: 1_700_000_000_000 }]);
  const topics = ['follow', 'ad-click', 'erasure', 'embeddings.follow', 'model.follow', 'dead-letter'];
  const looks = { ...reading(topics), follow: ['DESCRIBE', 'READ'] as const };
  const acl = entries(here, 'looker', { topics: looks, groups: [], transactionalIds: [] });
  await withAdmin(open, (admin) => admin.createAcls({ acl }));
  const [looker, stranger] = [as(here, 'looker', 'l'), as(here, 'stranger', 'n')];
  const event = JSON.stringify({ followerId: 'a', followedId: 'b', action: 'follow', at: 1_700_000_000_000 });
  const said = async (user: Twhin, args: readonly string[]) => {
    const { code, stdout, stderr } = await user.end(args, { stdin: event });
    expect({ args, code }).toEqual({ args, code: 1 });
    const all = stdout + stderr;
    expect({ args, all }).not.toEqual({
      args,
      all: expect.stringMatching(/no answer|no broker answers|create (it|them) with/),
    });
    return all;
  };

  // Who may look at topics, and of one not at its settings.
  const configs = `grant DESCRIBE_CONFIGS on topic ${here.topic('follow')} to looker`;
  expect(await said(looker, ['doctor'])).toMatch(
    new RegExp(`^ok    brokers .*\nFAIL  topics +describing topics is denied at .*; ${configs}$`, 'm'),
  );
  for (const args of [
    ['topics', 'plan'],
    ['topics', 'apply'],
  ]) {
    expect(await said(looker, args)).toContain(configs);
  }
  // The start of a run only wants to tell how long events are kept, and goes on without.
  expect(await said(looker, ['run', '--until-caught-up'])).toContain(
    `grant READ and DESCRIBE on group ${here.topic('follow')} to looker`,
  );
  expect(await said(looker, ['feed', '-', '--topic', 'follow'])).toContain(
    `grant WRITE on topic ${here.topic('follow')} to looker`,
  );

  // Who may do nothing.
  const describe = new RegExp(`grant DESCRIBE on topics? .*${here.topic('follow')}.* to stranger`);
  expect(await said(stranger, ['doctor'])).toMatch(
    new RegExp(
      `^ok    brokers .*\nFAIL  topics +describing topics is denied at .*; ${describe.source}$`,
      'm',
    ),
  );
  const commands = [
    ['topics', 'plan'],
    ['topics', 'apply'],
    ['run', '--until-caught-up'],
    ['run', '--create-topics', '--until-caught-up'],
    ['feed', '-', '--topic', 'follow'],
    ['replay', '--graph', 'follow', '--into', 'shadow'],
    ['evaluate', '--graph', 'follow'],
  ];
  for (const args of commands) expect(await said(stranger, args)).toMatch(describe);
  for (const args of [
    ['serve', '--http', '127.0.0.1:0'],
    ['restore', '--from-topic', '--graph', 'follow', '--into', 'again'],
  ]) {
    expect(await said(stranger, args)).toMatch(/not-authorized.*grant DESCRIBE on topics? .*to stranger/s);
  }
});
