/** Entry of a thread that looks up one entity: a scan of every vector must not block the updaters. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Failed, failed } from '../../../adapters/threads.ts';
import { FatalError } from '../../../errors/errors.ts';
import { openForReading, type StoreModel } from '../../../state/open.ts';
import { describeEntity, type EntityDescription, findEntity, readEntity } from '../../entity.ts';

/** What the store alone knows of an entity. */
export interface Found {
  readonly view: EntityDescription;
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

/** Edges that are counted: the counts of a hub with millions of edges stop here. */
const EDGES = 200_000;

const port = parentPort;
if (port === null) throw new FatalError('fault', 'this is the entry of a thread; use Lookup');

const request: LookupRequest = workerData;
const reply: LookupReply = await lookUp(request).then(
  (found) => ({ kind: 'found', found }),
  (error: unknown) => failed(error, 'the lookup failed'),
);
port.postMessage(reply);

async function lookUp({ graph, id }: LookupRequest): Promise<Found | undefined> {
  const key = readEntity(id);
  const store = await openForReading(graph);
  try {
    const record = await findEntity(store, key);
    if (store === undefined || record === undefined) return undefined;
    const { description, step } = await describeEntity(store, record, EDGES);
    const stepBase = (await store.head())?.stepBase ?? 0;
    return { view: description, publishedStep: step === undefined ? undefined : stepBase + step };
  } finally {
    await store?.close();
  }
}
