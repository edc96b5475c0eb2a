/** Entry of a thread that looks up one entity: a scan of every vector must not block the updaters. */
import { parentPort, workerData } from 'node:worker_threads';
import type { EntityView } from '../../../adapters/http/views.ts';
import { type Failed, failed } from '../../../adapters/threads.ts';
import { FatalError } from '../../../errors/errors.ts';
import { type EntityKey, parseEntityKey, typeOf } from '../../../graph/entity.ts';
import type { EntityRecord, GraphStore } from '../../../graph/graph-store.ts';
import { nearest, norm } from '../../../graph/nearest.ts';
import { openForReading, type StoreModel } from '../../../state/open.ts';

/** What the store alone knows of an entity. */
export interface Found {
  readonly view: Omit<EntityView, 'movedBetween'>;
  /** The entity's step as in the headers on the topic; undefined if the entity has no vector. */
  readonly publishedStep: number | undefined;
}

/** What a lookup's thread is started with. */
export interface LookupRequest {
  readonly graph: StoreModel;
  readonly id: string;
}

/** The thread's only message. */
export type LookupReply = { readonly kind: 'found'; readonly found: Found | undefined } | Failed;

/** Nearest entities of all types that are found, and how many of each type are shown. */
const NEAREST = 60;
const NEAREST_OF_A_TYPE = 10;
/** Edges that are counted: the counts of a hub with millions of edges stop here. */
const EDGES = 200_000;
const EXAMPLES = 10;

const port = parentPort;
if (port === null) throw new FatalError('lookup-thread', 'this is the entry of a thread; use Lookup');

const request: LookupRequest = workerData;
const reply: LookupReply = await lookUp(request).then(
  (found) => ({ kind: 'found', found }),
  (error: unknown) => failed(error, 'lookup', 'the lookup failed'),
);
port.postMessage(reply);

async function lookUp({ graph, id }: LookupRequest): Promise<Found | undefined> {
  const key = parseEntityKey(id);
  const store = await openForReading(graph);
  try {
    if (store?.layout.typeIndex(typeOf(key)) === undefined) return undefined;
    const record = await store.entity(key);
    return record && (await describe(store, record));
  } finally {
    await store?.close();
  }
}

async function describe(store: GraphStore, record: EntityRecord): Promise<Found> {
  const [row] = await store.readRows([record.row]);
  const { dim } = store.layout;
  const floats = row?.floats ?? new Float32Array(dim + 2);
  const stepBase = (await store.head())?.stepBase ?? 0;
  return {
    view: {
      entity: record.key,
      edges: await edgesOf(store, record.key),
      firstSeen: record.firstSeen,
      lastSeen: record.lastSeen,
      updates: record.updates,
      step: row?.step ?? 0,
      norm: norm(floats, dim),
      drift: floats[dim + 1] ?? 0,
      nearest: byType(await nearest(store, record.row, NEAREST)),
    },
    publishedStep: row && stepBase + row.step,
  };
}

async function edgesOf(store: GraphStore, key: EntityKey): Promise<EntityView['edges']> {
  const edges: EntityView['edges'] = {};
  let looked = 0;
  for await (const { removed, relation, direction, lhs, rhs } of store.edgesOf(key)) {
    if (++looked > EDGES) break;
    if (removed) continue;
    edges[relation] ??= { out: 0, in: 0, some: [] };
    const of = edges[relation];
    of[direction]++;
    if (of.some.length < EXAMPLES) of.some.push(direction === 'out' ? rhs : lhs);
  }
  return edges;
}

function byType(neighbours: readonly { entity: EntityKey; score: number }[]): EntityView['nearest'] {
  const types: EntityView['nearest'] = {};
  for (const neighbour of neighbours) {
    types[typeOf(neighbour.entity)] ??= [];
    const found = types[typeOf(neighbour.entity)];
    if (found && found.length < NEAREST_OF_A_TYPE) found.push(neighbour);
  }
  return types;
}
