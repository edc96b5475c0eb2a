import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CONFIG_FILE } from '../config/load.ts';
import { UsageError } from '../errors/errors.ts';
import type { Output } from './output.ts';

/** Writes a commented configuration; never over one that is there. */
export async function init(cwd: string, output: Output): Promise<void> {
  const path = resolve(cwd, CONFIG_FILE);
  if (existsSync(path)) throw new UsageError('exists', `${path} is there already; nothing was written`);
  await writeFile(path, TEMPLATE);
  output.out(`wrote ${path}`);
}

const TEMPLATE = `// Configuration of twhin-stream. All of it has defaults: keep what you change, delete the rest.
// Brokers and secrets come from the environment: KAFKA_BROKERS, KAFKA_SSL, KAFKA_SASL_*.
// After a change, kill -HUP has a running twhin run read it again: training.batchEdges and lingerMs, commit, publish,
// limits.queueBytes, readyLagMs and stopMs and log count at once; the log says of all else that it needs a restart.
import type { ConfigureTwhin } from 'twhin-stream';

const configure: ConfigureTwhin = ({ z, defineTopic, idField, instantField, entityKey }) => ({
  // Put before every topic's name; TWHIN_TOPIC_PREFIX wins.
  topicPrefix: 'twhin.',

  // Folder of the stores, one below it for each graph; TWHIN_STATE wins.
  // state: '/var/lib/twhin',

  // Where twhin run serves health, metrics and status; TWHIN_HTTP and --http win; 'off' for nowhere.
  // http: '127.0.0.1:8077',

  // 'measured' (distance, softmax) or 'twhin' (the paper's dot product, logistic).
  preset: 'measured',
  model: { dim: 128 },
  // updatesPerEdge: each new edge is trained with so many less one of those learned before: quality against events/s.
  training: { updatesPerEdge: 4, batchEdges: 1024, lingerMs: 100, init: 'random', seed: 1 },
  commit: { everyEdges: 4_096, everyMs: 500 },
  // A vector is published when it moved more than epsilon, is new, or moved at all and is maxAgeMs old.
  publish: { epsilon: 0.05, maxAgeMs: 60_000 },
  limits: { maxEntities: 4_000_000, queueBytes: 32 * 1024 * 1024, stopMs: 30_000 },
  // debug, info, warn or error; --verbose wins.
  log: { level: 'info' },

  // Your own entity types, relations, topics and graphs, beside TwHIN's. For example, users who save tweets to lists:
  //
  // entityTypes: ['list'],
  // relations: [{ name: 'saves', lhs: 'user', rhs: 'list' }],
  // topics: [
  //   defineTopic({
  //     name: 'save',
  //     schema: z.object({ userId: idField, listId: idField, at: instantField }),
  //     key: ({ userId }) => userId,
  //     changes: ({ userId, listId, at }) => [
  //       { lhs: entityKey('user', userId), relation: 'saves', rhs: entityKey('list', listId), at, removed: false },
  //     ],
  //   }),
  // ],
  // graphs: { lists: { topics: ['save', 'erasure'], relations: ['saves'] } },
});

export default configure;
`;
