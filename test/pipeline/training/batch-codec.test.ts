import { expect, test } from 'vitest';
import { buffersOf } from '../../../src/adapters/threads.ts';
import { decodeJournal, encodeJournal, packBatch } from '../../../src/pipeline/training/batch-codec.ts';
import type { ShardBatch } from '../../../src/pipeline/training/shard-batch.ts';
import { user } from '../../graph/graph-fixture.ts';
import { batchOf, edgesOf } from './trainer-fixture.ts';

/** What other shards sent, lists of odd lengths among it. */
const shard: ShardBatch = {
  range: { first: 3, last: 5 },
  copies: { rows: Int32Array.of(7, 9, 11), owners: Uint8Array.of(0, 2, 2) },
  vectors: { rows: Int32Array.of(7), halves: Float16Array.of(0.5, -1.5, 2) },
  gradients: { rows: new Int32Array(0), halves: new Float16Array(0) },
  relations: [Float32Array.of(0.25, 1e-7, Number.NaN)],
  wantsRelations: true,
  inUse: { rows: Int32Array.of(6), shards: Uint8Array.of(1), wanted: Uint8Array.of(0) },
  turn: false,
};
const first = batchOf({ newTypes: [0, 1, 1], edges: edgesOf('6 likes 7, 6 replies 8') });
const second = { ...batchOf({ dropped: [6], removed: edgesOf('6 likes 7') }), shard };
const third = batchOf({ reset: [7], reused: [[6, 1]] });

test('an entry of the journal has the batches in order, those of a shard too, the names, and the rows', () => {
  const due = [user('a'), user('ü')];
  const said = { batches: [first, second, third], due, published: Int32Array.of(3, 70_000), of: 7 };
  const entry = encodeJournal(said.batches.map(packBatch), due, said.published, said.of);
  expect(decodeJournal(entry)).toEqual(said);
  // RocksDB gives a value at any place in its memory.
  for (const at of [1, 2, 3, 4]) {
    const memory = Buffer.alloc(at + entry.length);
    memory.set(entry, at);
    expect(decodeJournal(memory.subarray(at))).toEqual(said);
  }
  expect(decodeJournal(encodeJournal([], []))).toEqual({
    batches: [],
    due: [],
    published: new Int32Array(0),
    of: 0,
  });
});

test.each([3, 20_000])('batches of %i edges move to another thread one by one', (edges) => {
  const many = { ...batchOf({ edges: Array.from({ length: edges }, (_, i) => [i, 1, i + 1]) }), shard };
  const { batches } = decodeJournal(encodeJournal([many, many, second].map(packBatch), []));
  for (const [i, batch] of batches.entries())
    expect(structuredClone(batch, { transfer: buffersOf(batch) })).toEqual(i === 2 ? second : many);
});

test('an entry of another version, and bytes that are none, are told as damage', () => {
  const entry = encodeJournal([packBatch(first)], []);
  const refusedOf = (bytes: Uint8Array) => {
    try {
      return decodeJournal(bytes);
    } catch (error) {
      return error;
    }
  };
  const other = Buffer.concat([Buffer.of(entry[0]! + 1), entry.subarray(1)]);
  for (const [bytes, message] of [
    [other, `an entry of the journal can't be read: its format is ${entry[0]! + 1}, not ${entry[0]}`],
    [entry.subarray(0, 40), "an entry of the journal can't be read: "],
    [Buffer.alloc(0), "an entry of the journal can't be read: its format is undefined"],
  ] as const)
    expect(refusedOf(bytes)).toMatchObject({
      name: 'FatalError',
      code: 'store-damaged',
      message: expect.stringContaining(message),
    });
});
