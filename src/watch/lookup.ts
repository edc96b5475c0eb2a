import { Worker } from 'node:worker_threads';
import { threadEntry, unpackError } from '../adapters/threads.ts';
import { FatalError } from '../errors/errors.ts';
import type { EntityDescription } from '../graph/describe-entity.ts';
import type { StoreModel } from '../state/open.ts';
import type { LookupReply, LookupRequest } from './lookup-worker.ts';

const LIMIT_MS = 60_000;
const MOST_WAITING = 4;

/** Looks entities up, one at a time and each in its own thread: a scan of every vector takes a core. */
export class Lookup {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** undefined: there is no such entity. @throws the lookup's error, and FatalError `busy` when four lookups wait. */
  async find(graph: StoreModel, id: string): Promise<EntityDescription | undefined> {
    if (this.#waiting >= MOST_WAITING) throw new FatalError('busy', 'other lookups are waiting; try again');
    this.#waiting++;
    const found = this.#last.then(() => inThread({ graph, id }));
    this.#last = found.catch(() => undefined);
    return found.finally(() => {
      this.#waiting--;
    });
  }
}

function inThread(request: LookupRequest): Promise<EntityDescription | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<EntityDescription | undefined>();
  const worker = new Worker(threadEntry(new URL('./lookup-worker.ts', import.meta.url)), {
    workerData: request,
    name: 'lookup',
  });
  const timer = setTimeout(
    () =>
      reject(
        new FatalError(
          'thread',
          `the lookup did not end within ${LIMIT_MS / 1000} s; twhin show has no limit`,
        ),
      ),
    LIMIT_MS,
  );
  worker.on('message', (reply: LookupReply) => {
    if (reply.kind === 'found') resolve(reply.found);
    else reject(unpackError(reply.error));
  });
  worker.on('error', reject);
  worker.on('exit', (code) =>
    reject(new FatalError('thread', `the lookup's thread ended with ${code}; ask again`)),
  );
  return promise.finally(async () => {
    clearTimeout(timer);
    await worker.terminate();
  });
}
