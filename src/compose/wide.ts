import { setFlagsFromString } from 'node:v8';
import { kernelHere } from '../kernels/select.ts';
import { WasmKernel } from '../kernels/wasm.ts';
import { workspaceBytes } from '../kernels/workspace.ts';
import type { Kernel, KernelChoice, KernelName, WasmBuild, WasmKernelName } from '../model/kernel.ts';
import type { ModelSettings } from '../model/settings.ts';
import { Table } from '../model/table.ts';
import type { TrainerSettings } from '../pipeline/training/trainer.ts';

/** Under this flag V8 packs pairs of vectors into registers of 256 bits. Node's build says whether its V8 has it. */
const PACKS = 'experimental-wasm-revectorize';
const HAS_PACKS = 'v8_enable_wasm_simd256_revec';

const ROWS = 100;
const SIZE = { maxEdges: 64, maxCandidates: 64 };
const TURNS = 12;
/** A smaller gain is not worth another way of compiling. */
const LEAST_GAIN = 1.1;

export interface FoundKernel {
  readonly kernel: KernelName;
  /** Why it is wide or narrow, as a clause; undefined for a kernel that has no wide form. */
  readonly why?: string;
}

interface Outcome {
  readonly won: boolean;
  readonly why: string;
}

/** A kernel with a full chunk, on a table of its own. */
interface Contender {
  readonly kernel: Pick<Kernel, 'step'>;
  readonly table: Table;
}

/** By build, in this process: V8's flags are the process's. */
const outcomes = new Map<WasmBuild, Outcome>();

/**
 * The kernel that a trainer's settings mean in this process: wide where that is faster. The main thread has to ask before a
 * thread makes a kernel, which V8 would compile without packing.
 * named: the name of a choice; on this machine unless said.
 */
export function kernelOf(
  { kernel: choice, wide = 'off', model }: Pick<TrainerSettings, 'kernel' | 'wide' | 'model'>,
  named: (choice: KernelChoice) => KernelName = kernelHere,
): FoundKernel {
  const kernel = named(choice);
  if (kernel !== 'wasm-plain' && kernel !== 'wasm-relaxed') return { kernel };
  if (wide === 'off') return { kernel, why: 'training.wide is off' };
  const { won, why } = outcomes.get(kernel) ?? raceHere(kernel, model);
  outcomes.set(kernel, { won, why });
  return { kernel: won ? `${kernel}-wide` : kernel, why };
}

/** Races the two forms of a build. V8 packs from then on if the wide one won. */
export function raceHere(build: WasmBuild, model: ModelSettings): Outcome {
  if (new Map<string, unknown>(Object.entries(process.config.variables)).get(HAS_PACKS) !== 1)
    return { won: false, why: 'this build of Node packs no vectors' };
  let won = false;
  try {
    // All of both modules is compiled here, by the compiler that packs. What threads make of them later is the same code.
    setFlags('no-liftoff', 'no-wasm-lazy-compilation', `no-${PACKS}`);
    const narrow = contender(build, model);
    setFlags(PACKS);
    const wide = contender(`${build}-wide`, model);
    const outcome = race(narrow, wide, () => performance.now());
    won = outcome.won;
    return outcome;
  } finally {
    setFlags('liftoff', 'wasm-lazy-compilation', won ? PACKS : `no-${PACKS}`);
  }
}

function setFlags(...flags: readonly string[]): void {
  for (const flag of flags) setFlagsFromString(`--${flag}`);
}

function contender(name: WasmKernelName, model: ModelSettings): Contender {
  const { dim } = model;
  const { maxEdges, maxCandidates } = SIZE;
  const table = new Table({
    dim,
    maxRows: ROWS,
    workspaceBytes: workspaceBytes(model, maxEdges, maxCandidates),
  });
  table.addRows(ROWS);
  for (let row = 0; row < ROWS; row++) {
    const vector = table.vector(row);
    for (let k = 0; k < dim; k++) vector[k] = Math.sin(row * dim + k) / Math.sqrt(dim);
  }
  const kernel = new WasmKernel(name, table, model, SIZE);
  const { chunk } = kernel;
  const entities = (rows: Int32Array, step: number) => {
    // The first two rows are those of the relation.
    for (let i = 0; i < rows.length; i++) rows[i] = 2 + ((i * step) % (ROWS - 2));
  };
  chunk.edges = maxEdges;
  entities(chunk.lhs, 5);
  entities(chunk.rhs, 11);
  for (const side of Object.values(chunk.sides)) {
    side.count = maxCandidates;
    entities(side.candidates, 13);
  }
  return { kernel, table };
}

/** Steps both in turn. The wide form wins if it is faster and gives the same bytes: a difference is a fault of V8's. clock: ms. */
export function race(narrow: Contender, wide: Contender, clock: () => number): Outcome {
  const timed = ({ kernel }: Contender) => {
    const began = clock();
    const loss = kernel.step();
    return { loss, ms: clock() - began };
  };
  const best = { narrow: Number.POSITIVE_INFINITY, wide: Number.POSITIVE_INFINITY };
  let same = true;
  for (let turn = 0; turn < TURNS; turn++) {
    const [slow, fast] = [timed(narrow), timed(wide)];
    same &&= slow.loss === fast.loss;
    best.narrow = Math.min(best.narrow, slow.ms);
    best.wide = Math.min(best.wide, fast.ms);
  }
  if (!same || !bytesOf(narrow).equals(bytesOf(wide)))
    return { won: false, why: 'a wide step gives other bytes than a narrow one' };
  const gain = best.narrow / best.wide;
  return { won: gain >= LEAST_GAIN, why: `a wide step is ${gain.toFixed(2)} times as fast as a narrow one` };
}

function bytesOf({ table: { memory, base } }: Contender): Buffer {
  return Buffer.from(memory.buffer, base);
}
