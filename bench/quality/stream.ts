import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.ts';
import { withSettings } from '../../src/config/overrides.ts';
import { entityKey } from '../../src/graph/entity.ts';
import type { GraphStore } from '../../src/graph/graph-store.ts';
import { Random } from '../../src/sampling/random.ts';
import { openForReading } from '../../src/state/open.ts';
import { measured } from '../child.ts';
import type { Embeddings } from './rank.ts';
import type { KnowledgeGraph } from './triples.ts';

const COMMAND = join(import.meta.dirname, '..', '..', 'bin', 'twhin.js');

export interface StreamOptions {
  readonly work: string;
  /** key=value, as `--set` of a replay has them. */
  readonly settings: readonly string[];
  readonly seed: number;
  say(line: string): void;
}

/**
 * Streams the training triples once, in an order drawn from the seed, through `twhin feed` and `twhin run` on the embedded
 * log, and reads back what the store then holds. seconds: of the run alone, process start included.
 */
export async function stream(
  graph: KnowledgeGraph,
  options: StreamOptions,
): Promise<{ embeddings: Embeddings; seconds: number }> {
  const { work, say } = options;
  const file = join(work, 'twhin.config.ts');
  await writeFile(file, configOf(graph, options.settings));
  const env = {
    ...process.env,
    KAFKA_BROKERS: `file:${join(work, 'log')}`,
    ...{ TWHIN_STATE: join(work, 'state'), TWHIN_CONFIG: file, TWHIN_HTTP: 'off' },
  };
  await measured([COMMAND, 'topics', 'apply'], env);
  say(`feeding ${graph.train.length} triples`);
  await measured([COMMAND, 'feed', '-', '--topic', 'fact'], env, eventsOf(graph, options.seed));
  say('training');
  const { seconds } = await measured([COMMAND, 'run', '--graph', 'facts', '--until-caught-up'], env);
  const facts = (await loadConfig(env, work)).graphs.find(({ name }) => name === 'facts');
  const store = facts && (await openForReading(facts));
  if (store === undefined) throw new Error('the run left no store of facts');
  try {
    return { embeddings: await embeddingsOf(store, graph), seconds };
  } finally {
    await store.close();
  }
}

async function embeddingsOf(store: GraphStore, graph: KnowledgeGraph): Promise<Embeddings> {
  const rows = new Map<number, Float32Array>();
  for await (const { row, floats } of store.rows()) rows.set(row, floats.subarray(0, store.layout.dim));
  const of = (row: number | undefined) => rows.get(row ?? -1) ?? new Float32Array(store.layout.dim);
  const keys = Array.from({ length: graph.entities }, (_, i) => entityKey('entity', `${i}`));
  const records = await store.readEntities(keys);
  const relations = Array.from({ length: graph.relations }, (_, i) => i);
  return {
    // One that no training triple names was never heard of: it lies at the origin.
    entities: records.map((record) => of(record?.row)),
    toTail: relations.map((i) => of(2 * i)),
    toHead: relations.map((i) => of(2 * i + 1)),
  };
}

function configOf({ relations }: KnowledgeGraph, settings: StreamOptions['settings']): string {
  const names = Array.from({ length: relations }, (_, i) => `r${i}`);
  const plain = withSettings({ limits: { maxEntities: 100_000 } }, settings);
  return `export default (k) => ({
  entityTypes: ['entity'],
  relations: ${JSON.stringify(names.map((name) => ({ name, lhs: 'entity', rhs: 'entity' })))},
  topics: [k.defineTopic({
    name: 'fact',
    partitions: 1,
    schema: k.z.object({ h: k.idField, r: k.z.number(), t: k.idField, at: k.instantField }),
    key: (event) => event.h,
    changes: ({ h, r, t, at }) => [{
      lhs: k.entityKey('entity', h), relation: 'r' + r, rhs: k.entityKey('entity', t), at, removed: false,
    }],
  })],
  graphs: { facts: { topics: ['fact'], relations: ${JSON.stringify(names)} } },
  ...${JSON.stringify(plain)},
});
`;
}

/** One event a line, in a random order; times as they come. */
function eventsOf({ train }: KnowledgeGraph, seed: number): string {
  const order = train.map((_, i) => i);
  const random = Random.seeded(seed);
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  const at = Date.UTC(2024, 0, 1);
  return order
    .map((index, i) => {
      const [h, r, t] = train[index]!;
      return `${JSON.stringify({ h: `${h}`, r, t: `${t}`, at: at + i })}\n`;
    })
    .join('');
}
