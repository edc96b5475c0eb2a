import { crc32 } from 'node:zlib';
import { differenceFrom } from '../../graph/checkpoint.ts';
import type { EntityKey } from '../../graph/entity.ts';
import { EntityIndex } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { type Head, type ModelIdentity, refuseOther } from '../../graph/head.ts';
import { liveEdgeRows } from '../../graph/live-edges.ts';
import type { Shard } from '../../graph/shard.ts';
import { alone, type Neighbourhood } from '../neighbours.ts';
import { decodeJournal, type JournalEntry } from '../training/batch-codec.ts';
import type { Unsent } from '../training/shard-batch.ts';
import type { Trainer, TrainerState, TrainReport } from '../training/trainer.ts';
import { checkWhole, lost } from './completeness.ts';

/** Batches of the journal that are on their way to the trainer: one is decoded while another is trained. */
const ON_THE_WAY = 2;
const LOAD_EDGES = 65_536;

/** The state of a store, brought back into memory. */
export interface Recovered {
  readonly head: Head | undefined;
  readonly index: EntityIndex;
  readonly erasedAt: Map<string, number>;
  /** Entities that the journal names to be published, whatever the training made of them. */
  readonly due: readonly EntityKey[];
  /** The trainer, whose calls from now on come after the training of the journal. */
  readonly trainer: Trainer;
  /** Resolves once the trainer has trained the journal. @throws what ended that. */
  readonly trained: Promise<TrainedJournal>;
  /** Rows of copies that have no vector. */
  readonly absent: Int32Array;
  /** What came out of the journal's batches for other shards, of those that were not acknowledged by the last commit. */
  readonly unsent: readonly Unsent[];
  readonly limits: TrainerState['limits'];
  /** Whether the checkpoint is to be written anew with the live edges, which it lacks: replaying a journal needs those of its time. */
  readonly lacksEdges: boolean;
  /** Time that each part of loading took, ms. */
  readonly took: Readonly<Record<string, number>>;
}

/** What the training of a journal came to. */
export interface TrainedJournal extends Pick<Recovered, 'unsent'> {
  /** Whether it led to other vectors than before, so that all that was moved or published is published again. */
  readonly strayed: boolean;
  readonly edges: number;
  /** Time that it took, ms. */
  readonly ms: number;
}

export interface RecoveryOptions {
  /** Which shard of a graph the store is to be; undefined: the whole graph. */
  readonly shard?: Shard | undefined;
  readonly neighbourhood?: Pick<Neighbourhood, 'trains'>;
}

/**
 * Brings index and erasures back from the store, and starts them on a fresh store. The trainer takes the checkpoint; then it trains the
 * journal once more, which a whole graph need not wait for: what the trainer is asked meanwhile comes after it. Where that leads to other
 * vectors than before, as with several threads, other settings, another kernel or in a shard, all that the journal moves and all that its
 * commits published is published again.
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
    const trained = Promise.resolve({ strayed: false, edges: 0, ms: 0, unsent: [] });
    const nothing = { due: [], unsent: [], lacksEdges: false, took: {} };
    return { head, index, erasedAt: new Map(), trainer, trained, absent, limits, ...nothing };
  }
  refuseOther(head, { name: graph, model, shard });
  const began = clock();
  // A process that was killed may have left a checkpoint that no head names.
  await store.checkpoints.dropAfter(head.checkpoint);
  const took: Record<string, number> = {};
  const timed = async <T>(part: string, loading: Promise<T>): Promise<T> => {
    const loaded = await loading;
    took[part] = clock() - began;
    return loaded;
  };
  const entities = timed('entitiesMs', store.loadIndex(head));
  const checkpoint = loadCheckpoint(store, trainer, entities, neighbourhood);
  const [index, hasEdges, { trains, due, published }] = await Promise.all([
    entities,
    timed('checkpointMs', checkpoint),
    readJournal(store, head),
  ]);
  checkWhole(head, { entities: index.counts(), edges: head.edges });
  if (trains && !hasEdges) throw lost(graph, 'its checkpoint has no edges, and its journal trains some');
  const differing = !trains && differenceFrom(head, (await store.checkpoint())?.head);
  if (differing) throw lost(graph, `its checkpoint is ${differing}`);
  const erasedAt = new Map<string, number>();
  for await (const { name, at } of store.erasures()) erasedAt.set(name, at);
  const before = await trainer.state();
  // Not sooner: where processors are few, whoever waits for the entities would wait for this too.
  const trained = trainJournal(store, head, trainer, published, clock);
  // Whoever uses the trainer meets its failure.
  trained.catch(() => undefined);
  // What a shard is to send, and which copies it lacks, follows from the journal.
  const unsent = shard ? (await trained).unsent : [];
  const { absent, limits } = shard ? await trainer.state() : before;
  const live = Object.values(head.edges).reduce((sum, count) => sum + count, 0);
  return {
    ...{ head, index, erasedAt, due, absent, unsent, trained, took, lacksEdges: !hasEdges },
    trainer: afterwards(trainer, trained),
    limits: shard ? limits : { ...limits, liveEdges: live },
  };
}

/** The trainer, each of its calls after `before`, in the order made. They fail of what `before` fails of. */
function afterwards(trainer: Trainer, before: Promise<unknown>): Trainer {
  const after = <T>(call: () => Promise<T>) => before.then(call);
  return {
    load: (checkpoint) => after(() => trainer.load(checkpoint)),
    loadEdges: (edges) => after(() => trainer.loadEdges(edges)),
    start: (state) => after(() => trainer.start(state)),
    train: (batch) => after(() => trainer.train(batch)),
    state: () => after(() => trainer.state()),
    due: (options) => after(() => trainer.due(options)),
    gave: (due) => after(() => trainer.gave(due)),
    republish: (again) => after(() => trainer.republish(again)),
    vectors: (rows) => after(() => trainer.vectors(rows)),
    snapshot: () => after(() => trainer.snapshot()),
    slice: (spent) => after(() => trainer.slice(spent)),
    stop: () => trainer.stop(),
  };
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
    const trains = neighbourhood.trains(index, store.layout);
    for await (const edges of liveEdgeRows(store, index.names, LOAD_EDGES, trains))
      await trainer.loadEdges(edges);
  }
  await trainer.start(
    checkpoint && { step: checkpoint.head.step, random: Uint32Array.from(checkpoint.head.random) },
  );
  return hasEdges;
}

/** What a journal says beside its batches. */
interface Journal extends Pick<JournalEntry, 'due'> {
  /** By commit: the rows that were published once the training had come to it, which a later entry has. */
  readonly published: ReadonlyMap<number, Int32Array>;
  /** Whether it has batches. */
  readonly trains: boolean;
}

/** Reads the journal. @throws FatalError where a commit is missing in it. */
async function readJournal(store: GraphStore, head: Head): Promise<Journal> {
  const due = new Set<EntityKey>();
  const published = new Map<number, Int32Array>();
  let [commit, trains] = [head.checkpoint, false];
  for await (const entry of store.journal()) {
    if (entry.commit !== ++commit)
      throw lost(head.graph, `its journal has ${entry.commit} in place of ${commit}`);
    const { batches, due: names, published: rows, of } = decodeJournal(entry.bytes);
    if (commit >= (head.acknowledged ?? 0)) for (const name of names) due.add(name);
    if (rows.length > 0) published.set(of, rows);
    trains ||= batches.length > 0;
  }
  if (commit !== head.commit)
    throw lost(head.graph, `its journal ends at ${commit}, its head is ${head.commit}`);
  return { due: [...due], published, trains };
}

/** Trains what the journal holds up to the head. What is committed meanwhile is trained by whoever commits it. */
async function trainJournal(
  store: GraphStore,
  head: Head,
  trainer: Trainer,
  published: Journal['published'],
  clock: () => number,
): Promise<TrainedJournal> {
  const began = clock();
  const underWay: Promise<TrainReport>[] = [];
  const unsent: Unsent[] = [];
  let stood: Promise<TrainerState> | undefined;
  let edges = 0;
  const settle = async () => {
    edges += (await underWay.shift()!).edges;
  };
  for await (const { commit, bytes } of store.journal()) {
    if (commit > head.commit) break;
    for (const batch of decodeJournal(bytes).batches) {
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
    const rows = published.get(commit);
    // Where these fail, so does the training.
    if (rows !== undefined)
      trainer.gave({ rows, isAcknowledged: commit < (head.acknowledged ?? 0) }).catch(() => undefined);
    if (commit !== (head.trained ?? head.commit)) continue;
    stood = trainer.state();
    stood.catch(() => undefined);
  }
  while (underWay.length > 0) await settle();
  const strayed = stood !== undefined && !isAsBefore(head, await stood);
  // Millions of rows where vectors go out often, and needed only here.
  if (strayed) {
    const rows = Int32Array.from(new Set([...published.values()].flatMap((each) => [...each])));
    await trainer.republish({ step: head.step, rows });
  }
  return { strayed, edges, ms: clock() - began, unsent };
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
