import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { FatalError, reasonOf, UsageError } from '../../../errors/errors.ts';
import type { ChunkSize } from '../../../kernels/chunk.ts';
import { type Instance, instantiate, isCompiled } from '../../../kernels/instance.ts';
import { chunkIn, layOutLanes, needRoom, type Workspace } from '../../../kernels/workspace.ts';
import type { KernelName } from '../../../model/kernel.ts';
import type { ModelSettings } from '../../../model/settings.ts';
import type { Table } from '../../../model/table.ts';
import type { Lane, Stepper } from '../../../pipeline/training/stepper.ts';
import { threadEntry, unpackError, type WireError } from '../../threads.ts';
import { COMPARED, HELPED, SharedLane, SIDE, type StepperData } from './lane.ts';

/** Far more than any step takes: milliseconds on an idle machine. */
const STEP_LIMIT_S = 60;

/**
 * Threads that step on the table beside the caller's own thread, in workspaces above the caller's: `threads - 1`, but at least one.
 * For one thread, a kernel that is not compiled has none: its workspace is not in shared memory.
 * @throws UsageError for such a kernel and more threads.
 * @throws FatalError when the table keeps too little room below its rows.
 */
export function startSteppers(
  name: KernelName,
  table: Table,
  model: ModelSettings,
  { threads, ...size }: ChunkSize & { readonly threads: number },
): readonly ThreadStepper[] {
  if (!isCompiled(name)) {
    if (threads === 1) return [];
    throw new UsageError(`kernel ${name} runs in one thread; ${threads} were asked for`);
  }
  const entry = threadEntry(new URL('./worker.ts', import.meta.url));
  return Array.from({ length: Math.max(1, threads - 1) }, (_, i) => {
    const own = layOutLanes(model.dim, size, i + 1);
    needRoom(table, own, size);
    const kernel = { name, model };
    const stepLimitS = STEP_LIMIT_S;
    return new ThreadStepper({ ...own, entry, name: `trainer ${i + 2}`, table, kernel, size, stepLimitS });
  });
}

/** A thread that steps on its lanes. It starts when a lane is asked for first. Exported for tests with other entries. */
export class ThreadStepper implements Stepper {
  readonly #begin: () => Worker;
  #worker: Worker | undefined;
  readonly #lanes: readonly SharedLane[];
  readonly #words = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  /** By lane: the kernel in a scratch for the trainer. */
  readonly #helping: readonly Instance[];
  readonly #failures: MessagePort;
  /** [1] processor time of the thread by its last step, ms. */
  readonly cpuMs = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT));
  /** Index of the lane whose turn it is. */
  #next = 0;
  #ended: FatalError | undefined;

  constructor(options: {
    entry: URL;
    name: string;
    table: Table;
    kernel: Pick<StepperData, 'name' | 'model'>;
    size: ChunkSize;
    lanes: readonly Workspace[];
    helping: Workspace['scratch'];
    stepLimitS: number;
  }) {
    const { entry, name, table, kernel, size, lanes, helping, stepLimitS } = options;
    const { memory, base, stride, paddedDim } = table;
    const place = { memory, base, stride, paddedDim };
    /** The error that the thread sent before it ended. Read synchronously, because events wait until the batch is over. */
    const whyEnded = () => {
      const sent: { message: WireError } | undefined = receiveMessageOnPort(this.#failures);
      return this.#end(sent?.message.message ?? 'it gave no reason', sent && unpackError(sent.message));
    };
    const own = { table, stepLimitS, whyEnded, words: this.#words, help: () => this.#help() };
    this.#lanes = lanes.map((lane) => new SharedLane(chunkIn(table, lane, kernel.model, size), own));
    this.#helping = lanes.map((lane) =>
      instantiate(kernel.name, place, kernel.model, { ...lane, scratch: helping }),
    );
    const { port1, port2 } = new MessageChannel();
    const workerData: StepperData = {
      ...kernel,
      table: place,
      lanes: this.#lanes.map(({ words }, i) => ({ words, workspace: lanes[i]! })),
      ...{ words: this.#words, helping },
      cpuMs: this.cpuMs,
      failures: port2,
    };
    this.#failures = port1;
    this.#begin = () =>
      new Worker(entry, { workerData, transferList: [port2], name })
        .on('error', (error) => this.#end(reasonOf(error), error))
        .on('exit', (code) => this.#end(`it exited with code ${code}`));
  }

  take(): Lane | undefined {
    if (this.#ended !== undefined) throw this.#ended;
    this.#worker ??= this.#begin();
    const lane = this.#lanes[this.#next];
    if (lane === undefined || !lane.free) return undefined;
    this.#next = (this.#next + 1) % this.#lanes.length;
    return lane;
  }

  async stop(): Promise<void> {
    this.#end('it was stopped');
    this.#failures.close();
    await this.#worker?.terminate();
  }

  /** Computes the second side of the step under way, where the thread has not come to it. */
  #help(): boolean {
    const open = Atomics.load(this.#words, SIDE);
    if (open <= 0 || Atomics.compareExchange(this.#words, SIDE, open, HELPED) !== open) return false;
    const { edges, sides } = this.#lanes[open - 1]!.chunk;
    this.#helping[open - 1]!.compareSide(1, edges, sides.lhs.count);
    Atomics.store(this.#words, SIDE, COMPARED);
    Atomics.notify(this.#words, SIDE);
    return true;
  }

  #end(reason: string, cause?: unknown): FatalError {
    this.#ended ??= new FatalError(
      'thread',
      `a training thread died: ${reason}; start again from the stored state`,
      { cause },
    );
    return this.#ended;
  }
}
