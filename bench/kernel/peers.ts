import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Contender, kernelOn, operationsOf, type Workload } from './workload.ts';

const PEERS = fileURLToPath(new URL('../peers/', import.meta.url));
const PYTHON = `${PEERS}.venv/bin/python`;

/** What to do to have PyTorch measured as well; undefined where it can be. */
export function missingTorch(): string | undefined {
  return existsSync(PYTHON)
    ? undefined
    : 'PyTorch is not measured: python3 -m venv bench/peers/.venv && bench/peers/.venv/bin/pip install -r bench/peers/requirements.txt';
}

/** PyTorch on one thread, in a process that works when it is told to. */
export async function torchOn(workload: Workload, name: string): Promise<Contender> {
  const threads = { OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };
  const child = spawn(PYTHON, [`${PEERS}torch_step.py`, JSON.stringify(workload)], {
    env: { ...process.env, ...threads },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error('torch_step.py ended; see above');
    return value;
  };
  // Its version.
  await answer();
  return {
    name,
    operations: operationsOf(workload),
    async measure(ms) {
      child.stdin.write(`${ms}\n`);
      return Number(await answer());
    },
    close: () => child.stdin.end(),
  };
}

/** Where test/kernels/tfjs/install.sh puts TensorFlow.js. */
const FOLDER = join(import.meta.dirname, '..', '..', '.twhin', 'tfjs');

/** What to do to have TensorFlow.js measured as well; undefined where it can be. */
export function missingTfjs(): string | undefined {
  return existsSync(join(FOLDER, 'built-from'))
    ? undefined
    : 'TensorFlow.js is not installed, and not measured: bash test/kernels/tfjs/install.sh';
}

/** The kernel on TensorFlow.js, which is kept to the calling thread as the others are. */
export function tfjsOn(workload: Workload, name: string): Contender {
  // Read when it is loaded. The second has it keep quiet about the machine's instructions.
  Object.assign(process.env, { TF_NUM_INTRAOP_THREADS: '1', TF_CPP_MIN_LOG_LEVEL: '2' });
  return kernelOn('tfjs', workload, name, [FOLDER]);
}
