import { Worker } from 'node:worker_threads';
import { FatalError, reasonOf } from '../../errors/errors.ts';
import type {
  Checkpoint,
  CheckpointOptions,
  HeldRows,
  LoadedRows,
  TrainBatch,
  Trainer,
  TrainerSettings,
  TrainReport,
  Triples,
} from '../../pipeline/training/trainer.ts';
import { unpackError } from '../wire-error.ts';
import { buffersOf, type Call, copyOf, type Reply, type Starting } from './wire.ts';

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/**
 * A trainer in a thread of its own, so that training never holds up the caller's event loop.
 * scratchFolder: for a file of what does not fit in memory; nothing is left there.
 */
export function threadTrainer(settings: TrainerSettings, scratchFolder: string): Trainer {
  // From sources the entry is TypeScript, from dist JavaScript; this file's own name tells which.
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return new ThreadTrainer(new URL(`./worker${extension}`, import.meta.url), { settings, scratchFolder });
}

/** See {@link threadTrainer}; exported to be run with an entry that dies. */
export class ThreadTrainer implements Trainer {
  readonly #worker: Worker;
  /** Calls not yet answered, oldest first: the thread answers in order. */
  readonly #waiting: Waiting[] = [];
  /** Why no call can be answered any more. */
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

  async loadEdges(edges: Triples): Promise<void> {
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

  /** Waits for the calls made before, then ends the thread. */
  stop(): Promise<void> {
    this.#stopped ??= this.#finish();
    return this.#stopped;
  }

  async #finish(): Promise<void> {
    await this.#lastAnswer();
    this.#end(new FatalError('trainer-stopped', 'the trainer was stopped; make a new one'));
    await this.#worker.terminate();
  }

  /** Resolves once the newest waiting call is answered, well or not. */
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
