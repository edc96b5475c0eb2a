import { spawn } from 'node:child_process';

export interface Outcome {
  /** undefined: it could not be started, or ran too long. */
  readonly code: number | undefined;
  /** What it wrote, stdout and stderr together. */
  readonly output: string;
}

/** Runs a command to its end. Never throws: one that isn't there is an outcome like any other. */
export function runCommand(command: string, args: readonly string[], limitMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: limitMs });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    const output = () => Buffer.concat(chunks).toString('utf8').trim();
    child.on('error', (error) => resolve({ code: undefined, output: error.message }));
    child.on('close', (code) => resolve({ code: code ?? undefined, output: output() }));
  });
}
