import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What a process and its stores take at a moment. */
export interface Sample {
  /** Since the soak began. */
  readonly atS: number;
  readonly pid: number;
  readonly memoryMiB: number;
  readonly files: number;
  readonly threads: number;
  readonly diskMiB: number;
  readonly edges: number;
  readonly consumed: number;
}

const MIB = 1024 * 1024;

/** Memory, open files and threads of a process, as /proc has them; undefined where it is gone, or there is no /proc. */
export function processFigures(pid: number): Pick<Sample, 'memoryMiB' | 'files' | 'threads'> | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    return {
      memoryMiB: Math.round(number('VmRSS') / 1024),
      files: readdirSync(`/proc/${pid}/fd`).length,
      threads: number('Threads'),
    };
  } catch {
    return undefined;
  }
}

/** Bytes of everything under a folder. */
export function diskMiB(folder: string): number {
  let bytes = 0;
  try {
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      // One that was compacted away between listing and asking has no size.
      bytes += statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
    }
  } catch {
    return 0;
  }
  return Math.round((bytes / MIB) * 10) / 10;
}
