import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FatalError, reasonOf } from '../errors/errors.ts';
import { type StorePlace, writeAside } from './places.ts';

const originSchema = z.object({
  /** How the store came to be. */
  from: z.enum(['replay', 'backup', 'topic']),
  /** Settings it is trained with beside the configuration's own, `key=value` each. */
  set: z.array(z.string()),
  /** ISO 8601. */
  since: z.string(),
});

/** Where a store beside the first one comes from, and what it must be run with. */
export type Origin = z.infer<typeof originSchema>;

/** undefined: a store that was always the live one. @throws FatalError when the record can't be read. */
export function readOrigin(place: StorePlace): Origin | undefined {
  const path = originFile(place);
  try {
    return originSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new FatalError(
      'store-origin',
      `${path} can't be read: ${reasonOf(error)}; it says with which settings the store was trained: make the store again`,
      { cause: error },
    );
  }
}

export async function writeOrigin(place: StorePlace, origin: Origin): Promise<void> {
  await writeAside(originFile(place), `${JSON.stringify(origin)}\n`);
}

function originFile({ folder }: StorePlace): string {
  return join(folder, 'origin.json');
}
