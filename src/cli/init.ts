import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CONFIG_FILE } from '../config/load.ts';
import { FatalError, hasCode, reasonOf, UsageError } from '../errors/errors.ts';
import type { CommandContext } from './context.ts';
import { example } from './options.ts';
import type { Output } from './output.ts';

export function addInitCommand(command: Command, { output }: CommandContext): void {
  command
    .description('write a commented twhin.config.ts')
    .addHelpText('after', example('twhin init && $EDITOR twhin.config.ts'))
    .action(() => init(process.cwd(), output));
}

/** Writes a commented configuration. An existing file is never overwritten. */
export async function init(cwd: string, output: Output): Promise<void> {
  const path = resolve(cwd, CONFIG_FILE);
  await writeFile(path, TEMPLATE, { flag: 'wx' }).catch((error: unknown) => {
    throw hasCode(error, 'EEXIST')
      ? new UsageError(`${path} exists already; nothing was written. Edit that file, or move it away first`)
      : new FatalError('file', `${path} can't be written: ${reasonOf(error)}`, { cause: error });
  });
  output.out(`wrote ${path}`);
}

const TEMPLATE = `// Configuration of twhin-stream. Every key has a default: keep what you change and delete the rest.
// Brokers and secrets come from the environment: KAFKA_BROKERS, KAFKA_SSL, KAFKA_SASL_*.
// A process reads this file once: restart the process after a change.
import type { ConfigureTwhin } from 'twhin-stream';

const configure: ConfigureTwhin = ({ z, defineTopic, idField, instantField, entityKey }) => ({
  // Comes before the name of every topic that has no whole name of its own; TWHIN_TOPIC_PREFIX overrides it.
  topicPrefix: 'twhin.',

  // Folder of the stores, with a folder for each graph; TWHIN_STATE overrides it.
  // state: '/var/lib/twhin',

  // Where twhin run serves health, metrics and status, or 'off'; TWHIN_HTTP and --http override it.
  // http: '127.0.0.1:8077',

  // 'measured' (distance, softmax) or 'twhin' (the paper's dot product, logistic).
  preset: 'measured',
  model: { dim: 128 },
  // With updatesPerEdge: 4, each new edge is trained together with three earlier ones. More updates rank better in most
  // graphs and make each event cost more; twhin tune finds out what your events need.
  training: { updatesPerEdge: 4, batchEdges: 1024, lingerMs: 100, seed: 1 },
  commit: { everyEdges: 16_384, everyMs: 100 },
  // A vector is published when it is new, when events have moved it by more than epsilon since it was last published (four
  // times as much without an event), or when it has moved at all and was last published maxAgeMs ago.
  publish: { epsilon: 0.05, maxAgeMs: 60_000 },
  limits: { maxEntities: 4_000_000, queueBytes: 32 * 1024 * 1024, stopMs: 30_000 },
  // debug, info, warn or error; --verbose overrides it.
  log: { level: 'info' },

  // How long an event topic keeps its events where twhin topics apply creates it: milliseconds, or 'unlimited'.
  // eventRetentionMs: 30 * 24 * 3_600_000,

  // Your own entity types, relations, topics and graphs, beside TwHIN's. For example, users who save tweets to lists:
  //
  // // Names are lower-case letters, digits and dashes.
  // entityTypes: ['list'],
  // relations: [{ name: 'saves', lhs: 'user', rhs: 'list' }],
  // topics: [
  //   defineTopic({
  //     // On the cluster twhin.save. With topic: 'web.saves' an existing topic is read under its own name, and never changed.
  //     name: 'save',
  //     schema: z.object({ userId: idField, listId: idField, at: instantField }),
  //     // Also: idField.nullable() for an id that may be null, and secondsField for a time in seconds.
  //     key: ({ userId }) => userId,
  //     changes: ({ userId, listId, at }) => [
  //       { lhs: entityKey('user', userId), relation: 'saves', rhs: entityKey('list', listId), at, removed: false },
  //     ],
  //   }),
  // ],
  // // With graphs of your own, those that come with twhin-stream are off unless you name them: engagement: {}, follow: {}.
  // // Every graph reads the topic erasure too.
  // graphs: { lists: { topics: ['save'], relations: ['saves'] } },
});

export default configure;
`;
