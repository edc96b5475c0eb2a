import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { FatalError, reasonOf, UsageError } from '../../../errors/errors.ts';
import type { ChunkSize } from '../../../kernels/chunk.ts';
import { isCompiled } from '../../../kernels/instance.ts';
import { chunkIn, layOut, needRoom, WORKSPACES_BESIDE, type Workspace } from '../../../kernels/workspace.ts';
import type { KernelName } from '../../../model/kernel.ts';
import type { ModelSettings } from '../../../model/settings.ts';
import type { Table } from '../../../model/table.ts';
import type { Lane, Stepper } from '../../../pipeline/training/stepper.ts';
import { threadEntry, unpackError, type WireError } from '../../threads.ts';
import { SharedLane, type StepperData } from './lane.ts';

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
  const steppers = Math.max(1, threads - 1);
  const workspaces = Array.from({ length: WORKSPACES_BESIDE * steppers }, (_, i) =>
    layOut(model.dim, size, i + 1),
  );
  for (const workspace of workspaces) needRoom(table, workspace, size);
  return Array.from({ length: steppers }, (_, i) => {
    const own = WORKSPACES_BESIDE * i;
    return new ThreadStepper({
      entry,
      name: `trainer ${i + 2}`,
      table,
      kernel: { name, model },
      size,
      workspaces: workspaces.slice(own, own + WORKSPACES_BESIDE),
      stepLimitS: STEP_LIMIT_S,
    });
  });
}

/** A thread that steps on its lanes. It starts when a lane is asked for first. Exported for tests with other entries. */
export class ThreadStepper implements Stepper {
  readonly #begin: () => Worker;
  #worker: Worker | undefined;
  readonly #lanes: readonly SharedLane[];
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
    workspaces: readonly Workspace[];
    stepLimitS: number;
  }) {
    const { entry, name, table, kernel, size, workspaces, stepLimitS } = options;
    const whyEnded = () => this.#whyEnded();
    this.#lanes = workspaces.map(
      (workspace) =>
        new SharedLane({ on: chunkIn(table, workspace, kernel.model, size), table, stepLimitS, whyEnded }),
    );
    const { port1, port2 } = new MessageChannel();
    const { memory, base, stride, paddedDim } = table;
    const workerData: StepperData = {
      ...kernel,
      table: { memory, base, stride, paddedDim },
      lanes: this.#lanes.map(({ words }, i) => ({ words, workspace: workspaces[i]! })),
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

  /** The error that the thread sent before it ended. Read synchronously, because events wait until the batch is over. */
  #whyEnded(): FatalError {
    const sent: { message: WireError } | undefined = receiveMessageOnPort(this.#failures);
    return this.#end(sent?.message.message ?? 'it gave no reason', sent && unpackError(sent.message));
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
