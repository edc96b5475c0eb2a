import { declaredTopics } from '../../src/config/declared-topics.ts';
import type { Config } from '../../src/config/resolve.ts';
import { deadLetterDeclaration, embeddingsName, topicName } from '../../topics/index.ts';

const API = 'kafka.strimzi.io/v1';
/** Tells Strimzi whose topics and users they are; k8s/strimzi sets the cluster's own name over it. */
const CLUSTER = { 'strimzi.io/cluster': 'kafka' };
/** The user, and the Secret that its password is read from. */
const USER = 'twhin';
const SECRET = 'twhin-kafka';

/** What a user may do with one resource of the brokers. */
interface Acl {
  readonly resource: { readonly type: string; readonly name: string; readonly patternType: 'literal' };
  readonly operations: readonly string[];
}

/** A KafkaTopic for each topic that is declared. How often it is kept is the cluster's own default, as it is for us. */
export function kafkaTopics(config: Config): object[] {
  return declaredTopics(config).map(({ name, partitions, configs }) => ({
    apiVersion: API,
    kind: 'KafkaTopic',
    metadata: { name: resourceName(name), labels: CLUSTER },
    spec: { topicName: name, partitions, config: configs },
  }));
}

/**
 * The user that updaters, standbys and replays log in as, and no more than they need: events are read, dead letters
 * written, vectors written and read back at a take-over; each graph has a group and a transactional id, both named like
 * the group. Settings of topics are asked for where a compacted one is told from a lost one. Topics are made by Strimzi,
 * and idempotent producers need no right of their own since Kafka 2.8: WRITE on a topic is enough.
 */
export function kafkaUser(config: Config): object {
  const prefix = config.topicPrefix;
  const read = new Set(
    config.graphs.flatMap(({ topics }) => topics.map(({ name }) => topicName(prefix, name))),
  );
  const acls: Acl[] = [
    ...[...read].sort().map((name) => acl('topic', name, ['Read', 'Describe', 'DescribeConfigs'])),
    ...config.graphs.flatMap(({ name }) => [
      acl('topic', topicName(prefix, embeddingsName(name)), ['Read', 'Write', 'Describe', 'DescribeConfigs']),
      acl('group', `${prefix}${name}`, ['Read', 'Describe']),
      acl('transactionalId', `${prefix}${name}`, ['Write', 'Describe']),
    ]),
    acl('topic', deadLetterDeclaration(prefix).name, ['Write', 'Describe', 'DescribeConfigs']),
  ];
  return {
    apiVersion: API,
    kind: 'KafkaUser',
    metadata: { name: USER, labels: CLUSTER },
    spec: {
      authentication: {
        type: 'scram-sha-512',
        password: { valueFrom: { secretKeyRef: { name: SECRET, key: 'password' } } },
      },
      authorization: { type: 'simple', acls },
    },
  };
}

function acl(type: string, name: string, operations: readonly string[]): Acl {
  return { resource: { type, name, patternType: 'literal' }, operations };
}

/** A topic may be called what no resource of Kubernetes may: its own name is in `topicName`. */
function resourceName(topic: string): string {
  return topic.toLowerCase().replaceAll('_', '-');
}
