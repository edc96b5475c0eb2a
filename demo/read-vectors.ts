import type { Source } from '../src/pipeline/ports.ts';
import { decodeVector } from '../topics/index.ts';

/**
 * The vectors of users in an embeddings topic as any reader finds them: from the start to where it ends now, the last
 * value of each key. By user id.
 * @throws what the source failed with.
 */
export async function readUserVectors(source: Source): Promise<Map<string, Float32Array>> {
  const vectors = new Map<string, Float32Array>();
  const left = new Map<string, number>();
  for (const [topic, partitions] of Object.entries(await source.ends())) {
    for (const [partition, end] of Object.entries(partitions))
      if (end > 0) left.set(`${topic}/${partition}`, end);
  }
  const done = Promise.withResolvers<void>();
  if (left.size === 0) return vectors;
  try {
    await source.start({
      position: () => undefined,
      accept: (records) => {
        for (const { topic, partition, offset, key, value } of records) {
          const name = key?.toString() ?? '';
          if (name.startsWith('user:')) {
            const user = name.slice('user:'.length);
            if (value === null) vectors.delete(user);
            else vectors.set(user, decodeVector(value));
          }
          const place = `${topic}/${partition}`;
          if (offset + 1 >= (left.get(place) ?? 0)) left.delete(place);
        }
        if (left.size === 0) done.resolve();
        return true;
      },
      failed: (error) => done.reject(error),
    });
    await done.promise;
  } finally {
    await source.stop();
  }
  return vectors;
}

/** Records in a source's topics, as their ends tell; what a retention took away is counted as well. */
export async function countRecords(source: Source): Promise<number> {
  const ends = await source.ends();
  await source.stop();
  let sum = 0;
  for (const partitions of Object.values(ends)) for (const end of Object.values(partitions)) sum += end;
  return sum;
}
