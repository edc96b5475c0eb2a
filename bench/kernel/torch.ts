import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Contender } from './contender.ts';
import { operationsOf, type Workload } from './workload.ts';

const PEERS = fileURLToPath(new URL('../peers/', import.meta.url));
const PYTHON = `${PEERS}.venv/bin/python`;

/** What to do to have PyTorch measured as well; undefined where it can be. */
export function missingTorch(): string | undefined {
  return existsSync(PYTHON)
    ? undefined
    : 'PyTorch is not measured: python3 -m venv bench/peers/.venv && bench/peers/.venv/bin/pip install -r bench/peers/requirements.txt';
}

/** PyTorch on one thread, in a process that works when it is told to. Gives its version as well. */
export async function torchOn(workload: Workload, name: string): Promise<Contender & { version: string }> {
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
  const version = await answer();
  return {
    ...{ name, version },
    operations: operationsOf(workload),
    async measure(ms) {
      child.stdin.write(`${ms}\n`);
      return Number(await answer());
    },
    close: () => child.stdin.end(),
  };
}
