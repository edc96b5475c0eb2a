import type {
  Checkpoint,
  CheckpointOptions,
  CopyBatch,
  HeldRows,
  LoadedEdges,
  LoadedRows,
  ShardBatch,
  TrainBatch,
  TrainerSettings,
  TrainReport,
  Triples,
} from '../../pipeline/training/trainer.ts';
import type { Failed } from '../threads.ts';

/** What the trainer's thread is started with. */
export interface Starting {
  readonly settings: TrainerSettings;
  readonly scratchFolder: string;
}

/** A call to the trainer's thread. */
export type Call =
  | { readonly method: 'loadRows'; readonly argument: LoadedRows }
  | { readonly method: 'loadEdges'; readonly argument: LoadedEdges }
  | { readonly method: 'start'; readonly argument: { step: number; random: Uint32Array } | undefined }
  | { readonly method: 'train'; readonly argument: TrainBatch }
  | { readonly method: 'checkpoint'; readonly argument: CheckpointOptions }
  | { readonly method: 'readRows'; readonly argument: { readonly first: number; readonly count: number } };

/** The thread's answers: one for each call, in the order of the calls. */
export type Reply =
  | { readonly kind: 'done' }
  | { readonly kind: 'trained'; readonly report: TrainReport }
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint }
  | { readonly kind: 'held'; readonly held: HeldRows }
  | Failed;

/** A call with copied arrays: a transfer then leaves the caller's arrays and their shared buffers usable. */
export function copyOf(call: Call): Call {
  switch (call.method) {
    case 'loadRows': {
      const { types, trained, floats, homes } = call.argument;
      const copies = { types: types.slice(), trained: trained.slice(), floats: floats.slice() };
      return { method: 'loadRows', argument: homes ? { ...copies, homes: homes.slice() } : copies };
    }
    case 'loadEdges': {
      const { apart } = call.argument;
      const copies = apart && {
        rows: apart.rows.slice(),
        shards: apart.shards.slice(),
        forgotten: apart.forgotten,
      };
      return {
        method: 'loadEdges',
        argument: { ...copyTriples(call.argument), ...(copies && { apart: copies }) },
      };
    }
    case 'train': {
      const { newTypes, reused, dropped, reset, edges, added, removed, shard, copies } = call.argument;
      return {
        method: 'train',
        argument: {
          newTypes: newTypes.slice(),
          reused: { rows: reused.rows.slice(), types: reused.types.slice() },
          dropped: dropped.slice(),
          reset: reset.slice(),
          edges: copyTriples(edges),
          added: copyTriples(added),
          removed: copyTriples(removed),
          ...(shard && { shard: copyShardBatch(shard) }),
          ...(copies && { copies: copyCopyBatch(copies) }),
        },
      };
    }
    default:
      return call;
  }
}

/** Every buffer in a message, for the transfer list. */
export function buffersOf(value: unknown, found: ArrayBuffer[] = []): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.push(value.buffer);
  } else if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) buffersOf(part, found);
  }
  return found;
}

function copyShardBatch(batch: ShardBatch): ShardBatch {
  const { newHomes, reusedHomes, vectors, gradients, relations, wantsRelations } = batch;
  return {
    newHomes: newHomes.slice(),
    reusedHomes: reusedHomes.slice(),
    vectors: { rows: vectors.rows.slice(), halves: vectors.halves.slice() },
    gradients: { rows: gradients.rows.slice(), halves: gradients.halves.slice() },
    relations: relations.map((copy) => copy.slice()),
    wantsRelations,
  };
}

function copyCopyBatch({ holders, confirmed, evicted }: CopyBatch): CopyBatch {
  return {
    holders: {
      rows: holders.rows.slice(),
      shards: holders.shards.slice(),
      holding: holders.holding.slice(),
    },
    confirmed: copyTriples(confirmed),
    evicted: evicted.slice(),
  };
}

function copyTriples({ lhs, relation, rhs }: Triples): Triples {
  return { lhs: lhs.slice(), relation: relation.slice(), rhs: rhs.slice() };
}
