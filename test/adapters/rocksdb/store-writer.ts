import { openRocksdb } from '../../../src/adapters/rocksdb/store.ts';
import { TwhinError } from '../../../src/errors/errors.ts';
import { WriteBatch } from '../../../src/graph/write-batch.ts';

/** Writes batches of 500 keys until the process is killed, and prints the number of each acknowledged batch. */
async function writeOn(folder: string): Promise<void> {
  const store = await openRocksdb(folder);
  const [last] = await store.getMany([Buffer.from('last')]);
  let number = last === undefined ? 0 : Buffer.from(last).readUInt32BE(0);
  for (;;) {
    const value = Buffer.alloc(64);
    value.writeUInt32BE(++number, 0);
    const batch = new WriteBatch();
    for (let i = 0; i < 500; i++) batch.put(Buffer.from(`k${String(i).padStart(4, '0')}`), value);
    batch.put(Buffer.from('last'), value);
    await store.write(batch);
    process.stdout.write(`wrote ${number}\n`);
  }
}

const [folder = ''] = process.argv.slice(2);
writeOn(folder).catch((error: unknown) => {
  const code = error instanceof TwhinError ? error.code : 'unexpected';
  process.stdout.write(`failed ${code}: ${String(error)}\n`);
  process.exit(1);
});
