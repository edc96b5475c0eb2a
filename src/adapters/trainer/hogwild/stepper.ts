import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { FatalError, reasonOf } from '../../../errors/errors.ts';
import type { ChunkSize } from '../../../kernels/chunk.ts';
import { chunkIn, type Workspace } from '../../../kernels/workspace.ts';
import type { Table } from '../../../model/table.ts';
import type { Lane, Stepper } from '../../../pipeline/training/stepper.ts';
import { unpackError, type WireError } from '../../wire-error.ts';
import { SharedLane } from './lane.ts';
import type { StepperData } from './wire.ts';

/** A thread that steps on the lanes given to it. */
export class ThreadStepper implements Stepper {
  readonly #worker: Worker;
  readonly #lanes: readonly SharedLane[];
  readonly #failures: MessagePort;
  /** The lane whose turn it is. */
  #next = 0;
  #ended: FatalError | undefined;

  /** patience: seconds that a step may take. */
  constructor(options: {
    entry: URL;
    name: string;
    table: Table;
    kernel: Pick<StepperData, 'build' | 'model'>;
    size: ChunkSize;
    workspaces: readonly Workspace[];
    patience: number;
  }) {
    const { entry, name, table, kernel, size, workspaces, patience } = options;
    const whyEnded = () => this.#whyEnded();
    this.#lanes = workspaces.map(
      (workspace) => new SharedLane({ on: chunkIn(table, workspace, size), table, patience, whyEnded }),
    );
    const { port1, port2 } = new MessageChannel();
    const { memory, base, stride, paddedDim } = table;
    const workerData: StepperData = {
      ...kernel,
      table: { memory, base, stride, paddedDim },
      lanes: this.#lanes.map(({ words }, i) => ({ words, workspace: workspaces[i]! })),
      failures: port2,
    };
    this.#failures = port1;
    this.#worker = new Worker(entry, { workerData, transferList: [port2], name });
    this.#worker.on('error', (error) => this.#end(reasonOf(error), error));
    this.#worker.on('exit', (code) => this.#end(`it exited with code ${code}`));
  }

  take(): Lane | undefined {
    if (this.#ended !== undefined) throw this.#ended;
    const lane = this.#lanes[this.#next];
    if (lane === undefined || !lane.free) return undefined;
    this.#next = (this.#next + 1) % this.#lanes.length;
    return lane;
  }

  async stop(): Promise<void> {
    this.#end('it was stopped');
    this.#failures.close();
    await this.#worker.terminate();
  }

  /** What it said before it failed. Read at once: the events of this thread wait until the batch is over. */
  #whyEnded(): FatalError {
    const said: { message: WireError } | undefined = receiveMessageOnPort(this.#failures);
    return this.#end(said?.message.message ?? 'it did not say why', said && unpackError(said.message));
  }

  #end(reason: string, cause?: unknown): FatalError {
    this.#ended ??= new FatalError(
      'stepper-dead',
      `a training thread died: ${reason}; start again from the stored state`,
      { cause },
    );
    return this.#ended;
  }
}
