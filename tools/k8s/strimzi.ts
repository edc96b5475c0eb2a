import { declaredTopics } from '../../src/config/declared-topics.ts';
import type { Config } from '../../src/config/resolve.ts';
import { wholeGraphs } from '../../src/config/resolve.ts';
import { graphOf } from '../../src/graph/shard.ts';
import { createdTopics } from '../../src/pipeline/topic-plan.ts';
import {
  deadLetterDeclaration,
  edgesName,
  embeddingsName,
  exchangeName,
  fullName,
  modelName,
  topicName,
} from '../../topics/index.ts';

const API = 'kafka.strimzi.io/v1';
/** The label that assigns a resource to a cluster of Strimzi; k8s/strimzi sets the cluster's name. */
const CLUSTER = { 'strimzi.io/cluster': 'kafka' };
/** What a reader of a topic may do. Reading a topic's settings tells a compacted topic from lost records. */
const READER = ['Read', 'Describe', 'DescribeConfigs'];
/** What those may do who write a topic and read it back. */
const BOTH = ['Read', 'Write', 'Describe', 'DescribeConfigs'];

/** The rights of a user on one resource of the brokers. */
interface Acl {
  readonly resource: { readonly type: string; readonly name: string; readonly patternType: 'literal' };
  readonly operations: readonly string[];
}

/**
 * A KafkaTopic for each declared topic but those with names of their own: Strimzi would manage what belongs to others. The
 * replication factor is the cluster's default, as with `twhin topics`.
 */
export function kafkaTopics(config: Config): object[] {
  return createdTopics(declaredTopics(config)).map(({ name, partitions, configs }) => ({
    apiVersion: API,
    kind: 'KafkaTopic',
    metadata: { name: resourceName(name), labels: CLUSTER },
    spec: { topicName: name, partitions, config: configs },
  }));
}

/**
 * The users of the cluster's processes, each with only the needed rights, and with the password of a Secret.
 *
 * `twhin`, of updaters, standbys and replays: they read events, write dead letters, write vectors and read vectors back at
 * a take-over. Each graph has a group and a transactional id of the same name; of a graph that is cut, each shard has them, and
 * all write and read the exchange topic and the edges topic, and their routers have a group together. Each kind looks whether the
 * other runs: shards at the group of the whole graph, which looks for an exchange topic. Strimzi makes the topics.
 * Since Kafka 2.8 idempotent producers need no additional right: WRITE on a topic is enough.
 *
 * `twhin-serve`: reads events and vectors, without a group.
 */
export function kafkaUsers(config: Config): object[] {
  const prefix = config.topicPrefix;
  const read = new Set(config.graphs.flatMap(({ topics }) => topics.map((topic) => fullName(prefix, topic))));
  const events = [...read].sort().map((name) => acl('topic', name, READER));
  const graphs = wholeGraphs(config.graphs);
  const vectorsOf = ({ name }: Config['graphs'][number]) =>
    [embeddingsName(name), modelName(name)].map((topic) => topicName(prefix, topic));
  return [
    kafkaUser('twhin', 'twhin-kafka', [
      ...events,
      ...graphs.flatMap((whole) => {
        const parts = config.graphs.filter((each) => graphOf(each) === whole.name);
        const cut = parts.some(({ shard }) => shard !== undefined);
        const between = (cut ? [exchangeName(whole.name), edgesName(whole.name)] : []).map((name) =>
          topicName(prefix, name),
        );
        return [
          ...[...vectorsOf(whole), ...between].map((topic) => acl('topic', topic, BOTH)),
          ...(cut ? [acl('group', `${prefix}${whole.name}.routers`, ['Read', 'Describe'])] : []),
          // A shard asks whether the whole graph runs, and a whole graph whether there are shards.
          cut
            ? acl('group', `${prefix}${whole.name}`, ['Describe'])
            : acl('topic', topicName(prefix, exchangeName(whole.name)), ['Describe']),
          ...parts.flatMap(({ name }) => [
            acl('group', `${prefix}${name}`, ['Read', 'Describe']),
            acl('transactionalId', `${prefix}${name}`, ['Write', 'Describe']),
          ]),
        ];
      }),
      acl('topic', deadLetterDeclaration(prefix).name, ['Write', 'Describe', 'DescribeConfigs']),
    ]),
    kafkaUser('twhin-serve', 'twhin-serve-kafka', [
      ...events,
      ...graphs.flatMap(vectorsOf).map((topic) => acl('topic', topic, READER)),
    ]),
  ];
}

/** secret: of the user's password. */
function kafkaUser(name: string, secret: string, acls: readonly Acl[]): object {
  return {
    apiVersion: API,
    kind: 'KafkaUser',
    metadata: { name, labels: CLUSTER },
    spec: {
      authentication: {
        type: 'scram-sha-512',
        password: { valueFrom: { secretKeyRef: { name: secret, key: 'password' } } },
      },
      authorization: { type: 'simple', acls },
    },
  };
}

function acl(type: string, name: string, operations: readonly string[]): Acl {
  return { resource: { type, name, patternType: 'literal' }, operations };
}

/** A valid resource name for a topic; the topic's own name is in `topicName`. */
function resourceName(topic: string): string {
  return topic.toLowerCase().replaceAll('_', '-');
}
