import { Worker } from 'node:worker_threads';
import { unpackError } from '../../../adapters/wire-error.ts';
import { FatalError } from '../../../errors/errors.ts';
import type { StoreModel } from '../../../state/open.ts';
import type { Found, LookupReply, LookupRequest } from './lookup-wire.ts';

const LIMIT_MS = 60_000;

/** Looks entities up, each in a thread of its own and one after the other: a look at every vector takes a core. */
export class Lookup {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** undefined: there is no such entity. @throws what went wrong, and FatalError `busy` where others wait already. */
  async find(graph: StoreModel, id: string): Promise<Found | undefined> {
    if (this.#waiting >= 4) throw new FatalError('busy', 'other lookups are waiting; try again');
    this.#waiting++;
    const found = this.#last.then(() => inThread({ graph, id }));
    this.#last = found.catch(() => undefined);
    return found.finally(() => {
      this.#waiting--;
    });
  }
}

function inThread(request: LookupRequest): Promise<Found | undefined> {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const { promise, resolve, reject } = Promise.withResolvers<Found | undefined>();
  const worker = new Worker(new URL(`./lookup-worker${extension}`, import.meta.url), {
    workerData: request,
    name: 'lookup',
  });
  const timer = setTimeout(
    () => reject(new FatalError('lookup', `not found within ${LIMIT_MS / 1000} s`)),
    LIMIT_MS,
  );
  worker.on('message', (reply: LookupReply) => {
    if (reply.kind === 'found') resolve(reply.found);
    else reject(unpackError(reply.error));
  });
  worker.on('error', reject);
  worker.on('exit', (code) => reject(new FatalError('lookup', `the lookup's thread ended with ${code}`)));
  return promise.finally(async () => {
    clearTimeout(timer);
    await worker.terminate();
  });
}
