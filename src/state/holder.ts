import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { lives } from '../adapters/file-lock.ts';
import type { StorePlace } from './places.ts';

const holderSchema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  /** ISO 8601. */
  since: z.string(),
});

/** The process that has a store open for writing, or was the last that had. */
export type Holder = z.infer<typeof holderSchema>;

/** Leaves this process's name beside the store it writes. */
export async function writeHolder(place: StorePlace): Promise<void> {
  const holder: Holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  await writeFile(holderFile(place), `${JSON.stringify(holder)}\n`);
}

/** undefined: nobody left a name that can be read, as between opening and naming itself. */
export function readHolder(place: StorePlace): Holder | undefined {
  try {
    return holderSchema.parse(JSON.parse(readFileSync(holderFile(place), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Whether the process is known to be gone; of another machine's nothing is known. */
export function hasEnded({ pid, host }: Holder): boolean {
  return host === hostname() && !lives(pid);
}

export function holderFile({ folder }: StorePlace): string {
  return join(folder, 'holder.json');
}
