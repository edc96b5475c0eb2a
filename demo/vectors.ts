import type { Source, SourceRecord } from '../src/pipeline/ports.ts';
import { Positions } from '../src/pipeline/reading/positions.ts';
import { decodeVector } from '../topics/index.ts';

/** Reads an embeddings topic from its start to where it ends now, and keeps the last vector of each user. */
export async function readUserVectors(source: Source): Promise<Map<string, Float32Array>> {
  const vectors = new Map<string, Float32Array>();
  const read = new Positions();
  const ends = await source.ends();
  const done = Promise.withResolvers<void>();
  const check = () => {
    if (read.reached(ends)) done.resolve();
  };
  check();
  await source.start({
    position: (topic, partition) => read.get(topic, partition),
    accept: (records) => {
      for (const record of records) {
        keep(vectors, record);
        read.advance(record.topic, record.partition, record.offset + 1);
      }
      check();
      return true;
    },
    skipped: (topic, partition, offset) => {
      read.advance(topic, partition, offset);
      check();
    },
    failed: done.reject,
  });
  await done.promise;
  await source.stop();
  return vectors;
}

function keep(vectors: Map<string, Float32Array>, { key, value }: SourceRecord): void {
  const entity = key?.toString() ?? '';
  if (!entity.startsWith('user:')) return;
  const user = entity.slice('user:'.length);
  if (value === null) vectors.delete(user);
  else vectors.set(user, decodeVector(value));
}
