import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { FatalError, reasonOf } from '../../errors.ts';
import { type Entry, eachOf, type Store } from '../../graph/store.ts';
import { unpackError } from '../wire-error.ts';
import { unpackRun } from './packed.ts';
import { type Answer, type Call, TAKEN } from './wire.ts';

/** A call before it has a port. */
type Asked = Call extends infer One ? (One extends Call ? Omit<One, 'port'> : never) : never;

/**
 * Opens a store for reading, in a thread of its own: the binding makes two buffers for each entry, which takes longer
 * than all that is done with most of them. What is read crosses in pieces of hundreds.
 * @throws FatalError as `openRocksdb` does; `write` throws one too.
 */
export async function openRocksdbReader(folder: string): Promise<Store> {
  // From sources the entry is TypeScript, from dist JavaScript; this file's own name tells which.
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const worker = new Worker(new URL(`./worker${extension}`, import.meta.url), {
    workerData: folder,
    name: 'store reader',
  });
  const store = new ThreadStore(worker, folder);
  try {
    await store.ask({ method: 'open' });
    return store;
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

class ThreadStore implements Store {
  readonly #worker: Worker;
  readonly #folder: string;
  /** Calls that are not through. */
  readonly #open = new Set<Answers>();
  /** Why there is nothing more to come. */
  #ended: FatalError | undefined;
  #closing: Promise<void> | undefined;

  constructor(worker: Worker, folder: string) {
    this.#worker = worker;
    this.#folder = folder;
    worker.on('error', (error) => this.#end(reasonOf(error)));
    worker.on('exit', () => this.#end('it was closed'));
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const answer = await this.ask({ method: 'getMany', keys });
    return answer.kind === 'values' ? [...answer.values] : [];
  }

  scan(prefix: Uint8Array): AsyncIterable<Entry> {
    return eachOf(this.runs(prefix));
  }

  async *runs(prefix: Uint8Array): AsyncIterable<readonly Entry[]> {
    const answers = this.#call({ method: 'runs', prefix });
    try {
      for (;;) {
        const answer = await answers.next();
        if (answer.kind !== 'run') return;
        yield unpackRun(answer.run);
        answers.taken();
      }
    } finally {
      this.#over(answers);
    }
  }

  async write(): Promise<void> {
    throw new FatalError('store-write', `the store in ${this.#folder} is open for reading only`);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** One answer to one call. */
  async ask(asked: Asked): Promise<Answer> {
    const answers = this.#call(asked);
    return answers.next().finally(() => this.#over(answers));
  }

  async #close(): Promise<void> {
    for (const answers of this.#open) this.#over(answers, this.#gone('it was closed'));
    // One that died has let go already.
    await this.ask({ method: 'close' }).catch(() => undefined);
    await this.#worker.terminate();
  }

  #call(asked: Asked): Answers {
    if (this.#ended !== undefined) throw this.#ended;
    const { port1, port2 } = new MessageChannel();
    const answers = new Answers(port1);
    this.#open.add(answers);
    this.#worker.postMessage({ ...asked, port: port2 }, [port2]);
    return answers;
  }

  #over(answers: Answers, why?: FatalError): void {
    answers.end(why);
    this.#open.delete(answers);
  }

  #end(reason: string): void {
    this.#ended ??= this.#gone(reason);
    for (const answers of this.#open) this.#over(answers, this.#ended);
  }

  #gone(reason: string): FatalError {
    return new FatalError(
      'store-read',
      `the thread that reads the store in ${this.#folder} ended: ${reason}`,
    );
  }
}

/** What comes over a port, one after the other. */
class Answers {
  readonly #port: MessagePort;
  readonly #waiting: Answer[] = [];
  #come = Promise.withResolvers<void>();
  #ended: FatalError | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (answer: Answer) => {
      this.#waiting.push(answer);
      this.#come.resolve();
    });
  }

  /** @throws what the thread says went wrong, or why nothing more will come. */
  async next(): Promise<Answer> {
    while (this.#waiting.length === 0) {
      if (this.#ended) throw this.#ended;
      this.#come = Promise.withResolvers();
      await this.#come.promise;
    }
    const answer = this.#waiting.shift()!;
    if (answer.kind === 'failed') throw unpackError(answer.error);
    return answer;
  }

  taken(): void {
    this.#port.postMessage(TAKEN);
  }

  /** Nothing more is wanted, or will come. */
  end(why: FatalError | undefined): void {
    this.#ended ??= why;
    this.#port.close();
    this.#come.resolve();
  }
}
