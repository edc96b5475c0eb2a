import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { FatalError, reasonOf } from '../../errors/errors.ts';
import { type Entry, eachOf, type Store, type StoreMemory, type WriteBatch } from '../../graph/store.ts';
import { unpackError } from '../wire-error.ts';
import { packList, unpackList, unpackRun } from './packed.ts';
import { type Answer, type Call, type Opening, type OpenOptions, TAKEN } from './wire.ts';

/** A call before it has a port. */
type Asked = Call extends infer One ? (One extends Call ? Omit<One, 'port'> : never) : never;

/**
 * Opens a store in a thread of its own, with the options and errors of `openRocksdb`: the binding makes two buffers for
 * each entry, and takes in a write entry by entry, which takes longer than all else that is done with most of them and
 * would hold up the caller's event loop. What crosses does so in pieces of hundreds. Of a batch that is written, nothing
 * is left.
 */
export async function openRocksdbThread(folder: string, options: OpenOptions = {}): Promise<Store> {
  // From sources the entry is TypeScript, from dist JavaScript; this file's own name tells which.
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const opening: Opening = { folder, options };
  const worker = new Worker(new URL(`./worker${extension}`, import.meta.url), {
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
  // Whoever waits for an answer keeps the process alive, and not a store that is only open.
  worker.unref();
  return store;
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

  /** One answer to one call. */
  async ask(asked: Asked, transferred: ArrayBuffer[] = []): Promise<Answer> {
    const answers = this.#call(asked, transferred);
    return answers.next().finally(() => this.#over(answers));
  }

  async #close(): Promise<void> {
    for (const answers of this.#open) this.#over(answers, this.#gone('it was closed'));
    try {
      // One that died has let go already. What a living one says of its closing is heard: it may not have kept what was written.
      if (this.#ended === undefined) await this.ask({ method: 'close' });
    } finally {
      await this.#worker.terminate();
    }
  }

  #call(asked: Asked, transferred: ArrayBuffer[] = []): Answers {
    if (this.#ended !== undefined) throw this.#ended;
    const { port1, port2 } = new MessageChannel();
    const answers = new Answers(port1);
    this.#open.add(answers);
    this.#worker.postMessage({ ...asked, port: port2 }, [port2, ...transferred]);
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
