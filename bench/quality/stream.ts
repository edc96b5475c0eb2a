import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.ts';
import { entityKey } from '../../src/graph/entity.ts';
import type { GraphStore } from '../../src/graph/graph-store.ts';
import { openForReading } from '../../src/state/open.ts';
import type { Embeddings } from './rank.ts';
import type { KnowledgeGraph } from './triples.ts';

const COMMAND = join(import.meta.dirname, '..', '..', 'bin', 'twhin.js');

export interface StreamOptions {
  readonly work: string;
  /** key=value settings, as `--set` of a replay has them. */
  readonly settings: Readonly<Record<string, string | number>>;
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
  await twhin(['topics', 'apply'], env);
  say(`feeding ${graph.train.length} triples`);
  await twhin(['feed', '-', '--topic', 'fact'], env, eventsOf(graph, options.seed));
  say('training');
  const began = performance.now();
  await twhin(['run', '--graph', 'facts', '--until-caught-up'], env);
  const seconds = (performance.now() - began) / 1000;
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
  const sections: Record<string, Record<string, unknown>> = { model: {}, training: {} };
  for (const [key, value] of Object.entries(settings)) {
    const [section = '', name = ''] = key.split('.');
    sections[section] = { ...sections[section], [name]: value };
  }
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
  limits: { maxEntities: 100_000 },
  ...${JSON.stringify(sections)},
});
`;
}

/** One event a line, in a random order; times as they come. */
function eventsOf({ train }: KnowledgeGraph, seed: number): string {
  const order = train.map((_, i) => i);
  let state = seed >>> 0;
  for (let i = order.length - 1; i > 0; i--) {
    // Numerical Recipes' linear congruence: good enough for an order.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
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

async function twhin(args: readonly string[], env: NodeJS.ProcessEnv, stdin = ''): Promise<void> {
  const child = spawn(process.execPath, [COMMAND, ...args], { env, stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4000);
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.on('close', resolve);
  const code = await promise;
  if (code !== 0) throw new Error(`twhin ${args.join(' ')} ended with ${code}:\n${said}`);
}
