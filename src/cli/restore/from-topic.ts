import { randomUUID } from 'node:crypto';
import { embeddingsName, modelName, topicName } from '../../../topics/index.ts';
import { threadTrainer } from '../../adapters/trainer/thread.ts';
import { exchangeStart } from '../../compose/exchange-start.ts';
import { shadowModelTopic } from '../../compose/shadow-topic.ts';
import type { GraphConfig } from '../../config/resolve.ts';
import { UsageError } from '../../errors/errors.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Head } from '../../graph/head.ts';
import { graphOf } from '../../graph/shard.ts';
import type { EventLog } from '../../pipeline/ports.ts';
import { eachRecord, wholeTopics } from '../../pipeline/reading/bounded.ts';
import type { TrainerState } from '../../pipeline/training/trainer.ts';
import { recordsIn } from '../../replay/range.ts';
import { TopicFold } from '../../replay/topic-fold.ts';
import { newPlace, type Restoring } from '../../state/staged-store.ts';
import type { CommandContext } from '../context.ts';
import { count } from '../format.ts';
import { asLive, selectGraphs } from '../select.ts';

const FRESH_RELATIONS =
  'these relations start from scratch, and until they are trained, lists that are made with them are worth little';

/** The stores to restore from embeddings topics. topic: full name of the topic, allowed for one graph only. */
export async function planFromTopic(
  topic: string | undefined,
  names: readonly string[],
  into: string | undefined,
  { config, connect, output, progress }: CommandContext,
): Promise<Restoring[]> {
  const plain = await config();
  const chosen = selectGraphs(plain, names);
  if (topic !== undefined && new Set(chosen.map(graphOf)).size > 1) {
    throw new UsageError(`--topic is one graph's: say which with --graph, seen ${topic} for all`);
  }
  return Promise.all(
    chosen.map(async (each): Promise<Restoring> => {
      const { graph, set } = await asLive(plain, each, config);
      const { name } = graph;
      const nameOf = (of: (graph: string) => string) => topicName(plain.topicPrefix, of(graphOf(graph)));
      const from = {
        embeddings: topic ?? nameOf(embeddingsName),
        model: topic === undefined ? nameOf(modelName) : shadowModelTopic(topic),
      };
      return {
        graph,
        target: newPlace(graph, into, 'twhin restore --from-topic'),
        origin: { from: 'topic', set: [...set] },
        fill: async (store) => {
          await using connection = await connect(plain);
          await using reader = connection.log();
          const [model] = await connection.admin().describe([from.model]);
          const there = { ...from, model: model?.name };
          const { shard } = graph;
          // What the others sent before is in the vectors.
          const reached = async (at: number) => shard && exchangeStart(plain, shard, connection, reader, at);
          const head = await fold(store, graph, reader, { ...there, reached }, { output, progress });
          if (model === undefined) output.err(`${name}: there is no topic ${from.model}; ${FRESH_RELATIONS}`);
          return head;
        },
      };
    }),
  );
}

/** The topics that are folded, and what the head has of a shard's exchange topic as of a time of the log. */
interface Folded {
  readonly embeddings: string;
  readonly model: string | undefined;
  reached(at: number): Promise<Pick<Head, 'positions' | 'topicIds'> | undefined>;
}

async function fold(
  store: GraphStore,
  { name, model, trainer, shard }: GraphConfig,
  reader: EventLog,
  { embeddings: topic, model: modelTopic, reached }: Folded,
  { output, progress }: Pick<CommandContext, 'output' | 'progress'>,
): Promise<Head> {
  const stretches = await wholeTopics(reader, [topic]);
  const of = recordsIn(stretches);
  const start = await freshRows(trainer);
  const folding = new TopicFold({ graph: name, shard, model, space: randomUUID(), store, start });
  await eachRecord(reader, stretches, async (records) => {
    await folding.add(records);
    progress(`${name}: ${count(folding.records)} of at most ${count(of)} records of ${topic} folded`);
  });
  if (modelTopic !== undefined) {
    await eachRecord(reader, await wholeTopics(reader, [modelTopic]), (records) =>
      folding.addRelations(records),
    );
  }
  const head = await folding.finish(await reached(folding.publishedAt));
  if (folding.strangeRelations > 0) {
    const found = `${folding.strangeRelations} relation vectors of ${modelTopic}`;
    output.err(`${name}: ${found} are of another run of training than the entities; ${FRESH_RELATIONS}`);
  }
  const spaces = folding.spaces();
  if (Object.keys(spaces).length > 1) {
    const all = Object.entries(spaces).map(([space, vectors]) => `${count(vectors)} of ${space}`);
    output.err(
      `${name}: ${topic} holds vectors of several runs of training, ${all.join(', ')}: a take-over did not end. ` +
        'Those of different runs lie in different places until they are trained again; twhin replay makes them one.',
    );
  }
  return head;
}

/** Relation rows and random state as in a new store, made by the trainer itself. */
async function freshRows(settings: GraphConfig['trainer']): Promise<TrainerState> {
  const trainer = threadTrainer(settings);
  try {
    await trainer.start(undefined);
    return await trainer.state();
  } finally {
    await trainer.stop();
  }
}
