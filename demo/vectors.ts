import type { ReadableLog, SourceRecord } from '../src/pipeline/ports.ts';
import { decodeVector } from '../topics/index.ts';

/** Reads an embeddings topic from its start to where it ends now, and keeps the last vector of each user. */
export async function readUserVectors(log: ReadableLog, topic: string): Promise<Map<string, Float32Array>> {
  const vectors = new Map<string, Float32Array>();
  const stretches = (await log.ranges([topic])).map(({ partition, low, high }) => ({
    topic,
    partition,
    from: low,
    until: high,
  }));
  const reading = await log.read(stretches);
  for (const cursor of reading.cursors) {
    for (let records = await cursor.next(); records !== undefined; records = await cursor.next()) {
      for (const record of records) keep(vectors, record);
    }
  }
  await reading.close();
  return vectors;
}

function keep(vectors: Map<string, Float32Array>, { key, value }: SourceRecord): void {
  const entity = key?.toString() ?? '';
  if (!entity.startsWith('user:')) return;
  const user = entity.slice('user:'.length);
  if (value === null) vectors.delete(user);
  else vectors.set(user, decodeVector(value));
}
