/** Entry of a thread that looks up one entity: a scan of every vector must not block the updaters. */
import { parentPort, workerData } from 'node:worker_threads';
import { typedEntity } from '../../topics/fields.ts';
import { type Failed, failed } from '../adapters/threads.ts';
import { FatalError } from '../errors/errors.ts';
import { describeEntity, type EntityDescription, findEntity } from '../graph/describe-entity.ts';
import { openForReading, type StoreModel } from '../state/open.ts';

/** What a lookup's thread is started with. */
export interface LookupRequest {
  readonly graph: StoreModel;
  readonly id: string;
}

/** The thread's only message. */
export type LookupReply = { readonly kind: 'found'; readonly found: EntityDescription | undefined } | Failed;

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

async function lookUp({ graph, id }: LookupRequest): Promise<EntityDescription | undefined> {
  const key = typedEntity(id);
  await using store = await openForReading(graph);
  const record = await findEntity(store, key);
  return store && record && (await describeEntity(store, record, EDGES)).description;
}
