import { Worker } from 'node:worker_threads';
import { FatalError, reasonOf } from '../../errors/errors.ts';
import type {
  Checkpoint,
  CheckpointOptions,
  HeldRows,
  LoadedEdges,
  LoadedRows,
  TrainBatch,
  Trainer,
  TrainerSettings,
  TrainReport,
} from '../../pipeline/training/trainer.ts';
import { threadEntry, unpackError } from '../threads.ts';
import { buffersOf, type Call, copyOf, type Reply, type Starting } from './wire.ts';

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/**
 * A trainer in a thread of its own: training never blocks the caller's event loop.
 * scratchFolder: place of the file for live edges that do not fit in memory. The file has no name once it is open.
 */
export function threadTrainer(settings: TrainerSettings, scratchFolder: string): Trainer {
  const entry = threadEntry(new URL('./worker.ts', import.meta.url));
  return new ThreadTrainer(entry, { settings, scratchFolder });
}

/** See {@link threadTrainer}; exported for tests with other entries. */
export class ThreadTrainer implements Trainer {
  readonly #worker: Worker;
  /** Calls without an answer, oldest first: the thread answers in order. */
  readonly #waiting: Waiting[] = [];
  /** Why the thread answers no more. */
  #ended: FatalError | undefined;
  #stopped: Promise<void> | undefined;

  constructor(entry: URL, starting: Starting) {
    this.#worker = new Worker(entry, { workerData: starting, name: 'trainer' });
    this.#worker.on('message', (reply: Reply) => {
      const waiting = this.#waiting.shift();
      if (reply.kind === 'failed') waiting?.reject(unpackError(reply.error));
      else waiting?.resolve(reply);
    });
    this.#worker.on('error', (error) => this.#end(dead(reasonOf(error), error)));
    this.#worker.on('messageerror', (error) => this.#end(dead(reasonOf(error), error)));
    this.#worker.on('exit', (code) => this.#end(dead(`it exited with code ${code}`)));
  }

  async loadRows(rows: LoadedRows): Promise<void> {
    await this.#call({ method: 'loadRows', argument: rows });
  }

  async loadEdges(edges: LoadedEdges): Promise<void> {
    await this.#call({ method: 'loadEdges', argument: edges });
  }

  async start(state: { step: number; random: Uint32Array } | undefined): Promise<void> {
    await this.#call({ method: 'start', argument: state });
  }

  async train(batch: TrainBatch): Promise<TrainReport> {
    const reply = await this.#call({ method: 'train', argument: batch });
    if (reply.kind !== 'trained') throw mismatch('train', reply);
    return reply.report;
  }

  async checkpoint(options: CheckpointOptions): Promise<Checkpoint> {
    const reply = await this.#call({ method: 'checkpoint', argument: options });
    if (reply.kind !== 'checkpoint') throw mismatch('checkpoint', reply);
    return reply.checkpoint;
  }

  async readRows(first: number, count: number): Promise<HeldRows> {
    const reply = await this.#call({ method: 'readRows', argument: { first, count } });
    if (reply.kind !== 'held') throw mismatch('readRows', reply);
    return reply.held;
  }

  /** Waits for the calls in progress, then ends the thread. */
  stop(): Promise<void> {
    this.#stopped ??= this.#finish();
    return this.#stopped;
  }

  async #finish(): Promise<void> {
    await this.#lastAnswer();
    this.#end(new FatalError('trainer-stopped', 'the trainer was stopped; make a new one'));
    await this.#worker.terminate();
  }

  /** Resolves once the newest call in progress has an answer or an error. */
  #lastAnswer(): Promise<void> {
    const newest = this.#waiting.at(-1);
    if (newest === undefined) return Promise.resolve();
    return new Promise((done) => {
      const { resolve, reject } = newest;
      newest.resolve = (reply) => {
        resolve(reply);
        done();
      };
      newest.reject = (error) => {
        reject(error);
        done();
      };
    });
  }

  #call(call: Call): Promise<Reply> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (this.#stopped !== undefined) {
      return Promise.reject(
        new FatalError('trainer-stopped', 'the trainer is being stopped; make a new one'),
      );
    }
    return new Promise((resolve, reject) => {
      const copy = copyOf(call);
      this.#worker.postMessage(copy, buffersOf(copy));
      this.#waiting.push({ resolve, reject });
    });
  }

  #end(reason: FatalError): void {
    this.#ended ??= reason;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#ended);
  }
}

function dead(reason: string, cause?: unknown): FatalError {
  return new FatalError(
    'trainer-dead',
    `the trainer's thread died: ${reason}; start again from the stored state`,
    { cause },
  );
}

function mismatch(method: string, reply: Reply): FatalError {
  return new FatalError('trainer-reply', `the trainer answered ${method} with ${reply.kind}`);
}
