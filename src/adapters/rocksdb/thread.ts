import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { FatalError, reasonOf } from '../../errors/errors.ts';
import { type Entry, eachOf, type Store, type StoreMemory, type WriteBatch } from '../../graph/store.ts';
import { threadEntry, unpackError } from '../threads.ts';
import { makeFolder } from './store.ts';
import {
  type Answer,
  type Call,
  type Opening,
  type OpenOptions,
  packList,
  TAKEN,
  unpackList,
  unpackRun,
} from './wire.ts';

/** A call without its port. */
type Request = Call extends infer One ? (One extends Call ? Omit<One, 'port'> : never) : never;

/**
 * Opens a store in a thread of its own, with the options and errors of `openRocksdb`. In the caller's thread the binding
 * would hold up the event loop: it makes two buffers for each entry that is read, and takes a write entry by entry.
 * Entries move between the threads by the hundreds. A written batch is empty afterwards.
 */
export async function openRocksdbThread(folder: string, options: OpenOptions = {}): Promise<Store> {
  if (options.readOnly !== true) makeFolder(folder);
  const opening: Opening = { folder, options };
  const worker = new Worker(threadEntry(new URL('./worker.ts', import.meta.url)), {
    workerData: opening,
    name: options.readOnly ? 'store reader' : 'store',
  });
  const store = new ThreadStore(worker, folder);
  try {
    await store.ask({ method: 'open' });
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  // A call without an answer keeps the process alive through its port; an open store alone must not.
  worker.unref();
  return store;
}

class ThreadStore implements Store {
  readonly #worker: Worker;
  readonly #folder: string;
  /** Calls in progress. */
  readonly #open = new Set<Answers>();
  /** Why the thread answers no more. */
  #ended: FatalError | undefined;
  #closing: Promise<void> | undefined;

  constructor(worker: Worker, folder: string) {
    this.#worker = worker;
    this.#folder = folder;
    worker.on('error', (error) => this.#end(reasonOf(error)));
    worker.on('exit', () => this.#end('it was closed'));
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    if (keys.length === 0) return [];
    const packed = packList(keys);
    const answer = await this.ask({ method: 'getMany', keys: packed }, [
      packed.bytes.buffer,
      packed.lengths.buffer,
    ]);
    return answer.kind === 'values' ? unpackList(answer.values) : [];
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

  async write(batch: WriteBatch): Promise<void> {
    const packed = batch.packed();
    await this.ask({ method: 'write', batch: packed }, [packed.bytes.buffer, packed.lengths.buffer]);
  }

  async memory(): Promise<StoreMemory | undefined> {
    if (this.#closing !== undefined || this.#ended !== undefined) return undefined;
    const answer = await this.ask({ method: 'memory' });
    return answer.kind === 'memory' ? answer.memory : undefined;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Makes a call that has one answer. */
  async ask(request: Request, transferred: ArrayBuffer[] = []): Promise<Answer> {
    const answers = this.#call(request, transferred);
    return answers.next().finally(() => this.#over(answers));
  }

  async #close(): Promise<void> {
    for (const answers of this.#open) this.#over(answers, this.#gone('it was closed'));
    try {
      // A dead thread has closed the store. A living thread's error of closing must reach the caller: writes may be lost.
      if (this.#ended === undefined) await this.ask({ method: 'close' });
    } finally {
      await this.#worker.terminate();
    }
  }

  #call(request: Request, transferred: ArrayBuffer[] = []): Answers {
    if (this.#ended !== undefined) throw this.#ended;
    const { port1, port2 } = new MessageChannel();
    const answers = new Answers(port1);
    this.#open.add(answers);
    this.#worker.postMessage({ ...request, port: port2 }, [port2, ...transferred]);
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
    return new FatalError('store-read', `the thread of the store in ${this.#folder} ended: ${reason}`);
  }
}

/** The answers to one call, in the order of their arrival. */
class Answers {
  readonly #port: MessagePort;
  readonly #waiting: Answer[] = [];
  #arrival = Promise.withResolvers<void>();
  #ended: FatalError | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (answer: Answer) => {
      this.#waiting.push(answer);
      this.#arrival.resolve();
    });
  }

  /** @throws the thread's error, or why no more answers come. */
  async next(): Promise<Answer> {
    while (this.#waiting.length === 0) {
      if (this.#ended) throw this.#ended;
      this.#arrival = Promise.withResolvers();
      await this.#arrival.promise;
    }
    const answer = this.#waiting.shift()!;
    if (answer.kind === 'failed') throw unpackError(answer.error);
    return answer;
  }

  /** Tells the thread that a run was taken. */
  taken(): void {
    this.#port.postMessage(TAKEN);
  }

  /** Closes the port. why: error for whoever still waits. */
  end(why: FatalError | undefined): void {
    this.#ended ??= why;
    this.#port.close();
    this.#arrival.resolve();
  }
}
