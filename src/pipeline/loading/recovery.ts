import { crc32 } from 'node:zlib';
import type { EntityKey } from '../../graph/entity.ts';
import { EntityIndex } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { type Head, type ModelIdentity, refuseOther } from '../../graph/head.ts';
import type { Shard } from '../../graph/shard.ts';
import { alone, type Neighbourhood } from '../neighbours.ts';
import { decodeJournal, type JournalEntry } from '../training/batch-codec.ts';
import type { Unsent } from '../training/shard-batch.ts';
import type { Trainer, TrainerState, TrainReport } from '../training/trainer.ts';
import { checkWhole, lost } from './completeness.ts';
import { loadEdges, loadEntities } from './from-store.ts';

/** Batches of the journal that are on their way to the trainer: one is decoded while another is trained. */
const ON_THE_WAY = 2;

/** The state of a store, brought back into memory. */
export interface Recovered {
  readonly head: Head | undefined;
  readonly index: EntityIndex;
  readonly erasedAt: Map<string, number>;
  /** Entities that the journal names to be published, whatever the training made of them. */
  readonly due: readonly EntityKey[];
  /** Whether training the journal led to other vectors than before, so that all that was moved or published is published again. */
  readonly strayed: boolean;
  /** Rows of copies that have no vector. */
  readonly absent: Int32Array;
  /** What came out of the journal's batches for other shards, of those that were not acknowledged by the last commit. */
  readonly unsent: readonly Unsent[];
  readonly limits: TrainerState['limits'];
  /** Whether the checkpoint is to be written anew with the live edges, which it lacks: replaying a journal needs those of its time. */
  readonly lacksEdges: boolean;
  /** Time that each part of loading took, ms, and how many edges of the journal were trained. */
  readonly took: Readonly<Record<string, number>>;
}

export interface RecoveryOptions {
  /** Which shard of a graph the store is to be; undefined: the whole graph. */
  readonly shard?: Shard | undefined;
  readonly neighbourhood?: Pick<Neighbourhood, 'trains'>;
}

/**
 * Brings index, trainer and erasures back from the store, and starts them on a fresh store: the trainer takes the checkpoint and trains the
 * journal once more. Where that leads to other vectors than before, as with several threads, other settings, another kernel or in a
 * shard, all that the journal moves and all that its commits published is published again.
 * @throws FatalError when the store is another graph's or another model's, saying what differs, or when entries are
 * lost: RocksDB does not notice a truncated list of files.
 */
export async function recover(
  store: GraphStore,
  trainer: Trainer,
  graph: string,
  model: ModelIdentity,
  clock: () => number,
  { shard, neighbourhood = alone }: RecoveryOptions = {},
): Promise<Recovered> {
  const head = await store.head();
  if (head === undefined) {
    for await (const { key } of store.entities()) throw lost(graph, `it holds ${key}, but no head`);
    await trainer.start(undefined);
    const index = new EntityIndex(2 * model.relations.length, store.layout.entityTypes);
    const { absent, limits } = await trainer.state();
    const nothing = { due: [], strayed: false, unsent: [], lacksEdges: false, took: {} };
    return { head, index, erasedAt: new Map(), absent, limits, ...nothing };
  }
  refuseOther(head, { name: graph, model, shard });
  const began = clock();
  // A process that was killed may have left a checkpoint that no head names.
  await store.checkpoints.dropAfter(head.checkpoint);
  const took: Record<string, number> = {};
  const entities = loadEntities(store, head).then((index) => {
    checkWhole(head, { entities: index.counts(), edges: head.edges });
    took['entitiesMs'] = clock() - began;
    return index;
  });
  const trained = async () => {
    const hasEdges = await loadCheckpoint(store, trainer, entities, neighbourhood);
    took['checkpointMs'] = clock() - began;
    const { edges, ...replayed } = await replay(store, head, trainer, hasEdges);
    took['journalEdges'] = edges;
    took['journalMs'] = clock() - began - took['checkpointMs'];
    return { ...replayed, lacksEdges: !hasEdges };
  };
  // In parallel: the trainer needs no entities, and trains the journal while they are read.
  const [index, { due, published, stood, unsent, lacksEdges }] = await Promise.all([entities, trained()]);
  const erasedAt = new Map<string, number>();
  for await (const { name, at } of store.erasures()) erasedAt.set(name, at);
  const strayed = stood !== undefined && !isAsBefore(head, stood);
  const again = () => Int32Array.from(new Set(published.flatMap((rows) => [...rows])));
  if (strayed) await trainer.republish({ step: head.step, rows: again() });
  const { absent, limits } = await trainer.state();
  return { head, index, erasedAt, due, strayed, absent, unsent, limits, lacksEdges, took };
}

/** Starts the trainer from the checkpoint. Gives whether it has the edges: the store's are loaded where not. */
async function loadCheckpoint(
  store: GraphStore,
  trainer: Trainer,
  entities: Promise<EntityIndex>,
  neighbourhood: Pick<Neighbourhood, 'trains'>,
): Promise<boolean> {
  const checkpoint = await store.checkpoint();
  const hasEdges = checkpoint === undefined || (await trainer.load(checkpoint));
  if (!hasEdges) {
    const index = await entities;
    await loadEdges(store, trainer, index, neighbourhood.trains(index, store.layout));
  }
  await trainer.start(
    checkpoint && { step: checkpoint.head.step, random: Uint32Array.from(checkpoint.head.random) },
  );
  return hasEdges;
}

interface Replayed extends Pick<Recovered, 'unsent'>, Pick<JournalEntry, 'due'> {
  /** The rows that each entry says were published: millions where vectors go out often, and needed only where the training strayed. */
  readonly published: readonly Int32Array[];
  /** Edges that were trained. */
  readonly edges: number;
  /** Where the training stood at the commit that the head's step is as of. */
  readonly stood: TrainerState | undefined;
}

/** Trains what the journal holds. @throws FatalError where a commit is missing in it. */
async function replay(store: GraphStore, head: Head, trainer: Trainer, hasEdges: boolean): Promise<Replayed> {
  const due = new Set<EntityKey>();
  /** By commit: what was published once the training had come to it, which a later entry has. */
  const given = new Map<number, Int32Array>();
  for await (const { bytes } of store.journal()) {
    const { of, published: rows } = decodeJournal(bytes);
    if (rows.length > 0) given.set(of, rows);
  }
  const underWay: Promise<TrainReport>[] = [];
  const unsent: Unsent[] = [];
  let stood: Promise<TrainerState> | undefined;
  let [edges, commit] = [0, head.checkpoint];
  const settle = async () => {
    edges += (await underWay.shift()!).edges;
  };
  for await (const entry of store.journal()) {
    if (entry.commit !== ++commit)
      throw lost(head.graph, `its journal has ${entry.commit} in place of ${commit}`);
    const { batches, due: names } = decodeJournal(entry.bytes);
    const isAcknowledged = commit < (head.acknowledged ?? 0);
    if (!isAcknowledged) for (const name of names) due.add(name);
    if (batches.length > 0 && !hasEdges)
      throw lost(head.graph, 'its checkpoint has no edges, and its journal trains some');
    for (const batch of batches) {
      const range = batch.shard?.range;
      const training = trainer.train(batch).then((report) => {
        const { outgoing } = report;
        if (outgoing && range && range.last >= (head.shard?.sent ?? 0)) unsent.push({ range, outgoing });
        return report;
      });
      // Avoids an unhandled rejection while the batch before is awaited.
      training.catch(() => undefined);
      underWay.push(training);
      if (underWay.length === ON_THE_WAY) await settle();
    }
    const rows = given.get(commit);
    // Where these fail, so does the training.
    if (rows !== undefined) trainer.gave({ rows, isAcknowledged }).catch(() => undefined);
    if (commit !== (head.trained ?? head.commit)) continue;
    stood = trainer.state();
    stood.catch(() => undefined);
  }
  while (underWay.length > 0) await settle();
  if (commit !== head.commit)
    throw lost(head.graph, `its journal ends at ${commit}, its head is ${head.commit}`);
  return { edges, due: [...due], published: [...given.values()], unsent, stood: await stood };
}

/** Whether the trainer stands where it stood at the head's commit. */
function isAsBefore(head: Head, { step, random, relations }: TrainerState): boolean {
  const sameRandom = head.random.every((number, i) => number === random[i]);
  return step === head.step && sameRandom && relationsSum({ relations }) === head.relations;
}

/** CRC-32 of the relation rows, as heads have it. */
export function relationsSum({ relations }: Pick<TrainerState, 'relations'>): number {
  return crc32(new Uint8Array(relations.buffer));
}
