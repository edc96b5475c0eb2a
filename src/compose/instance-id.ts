import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GraphConfig } from '../config/resolve.ts';
import { hasCode } from '../errors/errors.ts';
import { writeAside } from '../state/json-file.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The name under which processes on this graph's state folder join its group, one after the other: with it a process that
 * comes back after a kill is given its predecessor's place at once. It is made once, and kept in `instance-id` beside the
 * graph's stores; no backup holds it, because a restored copy elsewhere is another member.
 * @throws FatalError `store-write` when the file can't be written.
 */
export async function instanceIdOf({ folder }: Pick<GraphConfig, 'folder'>): Promise<string> {
  const path = join(folder, 'instance-id');
  const known = (await read(path)).trim();
  if (UUID.test(known)) return known;
  const id = randomUUID();
  await writeAside(path, `${id}\n`);
  return id;
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
