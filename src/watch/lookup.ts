import { ThreadCalls, threadEntry } from '../adapters/threads.ts';
import { FatalError } from '../errors/errors.ts';
import type { EntityDescription } from '../graph/describe-entity.ts';
import type { StoreModel } from '../state/open.ts';
import type { LookupMethods } from './lookup-worker.ts';

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
    const found = this.#last.then(() => inThread(graph, id));
    this.#last = found.catch(() => undefined);
    return found.finally(() => {
      this.#waiting--;
    });
  }
}

async function inThread(graph: StoreModel, id: string): Promise<EntityDescription | undefined> {
  const failure = (reason: string) => new FatalError('thread', `the lookup did not end: ${reason}`);
  const calls = new ThreadCalls<LookupMethods>({
    entry: threadEntry(new URL('./lookup-worker.ts', import.meta.url)),
    data: undefined,
    name: 'lookup',
    dead: (reason) => failure(`${reason}; ask again`),
  });
  const late = failure(`it took more than ${LIMIT_MS / 1000} s; twhin show has no limit`);
  const timer = setTimeout(() => calls.drop(late), LIMIT_MS);
  try {
    return await calls.ask('find', { graph, id });
  } finally {
    clearTimeout(timer);
    await calls.stop(late);
  }
}
