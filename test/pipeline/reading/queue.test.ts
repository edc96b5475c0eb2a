import { expect, test } from 'vitest';
import type { RecordRun, SourceRecord } from '../../../src/pipeline/ports.ts';
import { RecordQueue } from '../../../src/pipeline/reading/queue.ts';

const record = (offset: number, value: number | null = 100, key: number | null = null): SourceRecord => ({
  topic: 't',
  partition: 0,
  offset,
  timestamp: 0,
  key: key === null ? null : Buffer.alloc(key),
  value: value === null ? null : Buffer.alloc(value),
});
const run = (...records: SourceRecord[]): RecordRun => ({
  topic: 't',
  partition: 0,
  records,
  next: (records.at(-1)?.offset ?? -1) + 1,
});
const offsets = (runs: RecordRun[]) => runs.flatMap(({ records }) => records.map(({ offset }) => offset));

test('gives records in order, up to the limit', async () => {
  const queue = new RecordQueue({ queueBytes: 10_000 }, Date.now);
  queue.push(run(record(0), record(1), record(2)));
  queue.push(run(record(3)));
  expect(offsets(await queue.take(3, 0))).toEqual([0, 1, 2]);
  expect(offsets(await queue.take(3, 0))).toEqual([3]);
  expect(await queue.take(3, 1)).toEqual([]);
});

test('gives runs with their next offsets, and splits a run at the limit', async () => {
  const queue = new RecordQueue({ queueBytes: 10_000 }, Date.now);
  // Offset 3 is no record, 5 and 6 are markers, and so is all of the second run.
  queue.push({ ...run(record(1), record(2), record(4)), next: 7 });
  queue.push({ ...run(), next: 9 });
  const nexts = (runs: RecordRun[]) => runs.map(({ next }) => next);
  const taken = [
    await queue.take(1, 0),
    await queue.take(1, 0),
    await queue.take(1, 0),
    await queue.take(1, 0),
  ];
  expect(taken.map(offsets)).toEqual([[1], [2], [4], []]);
  expect(taken.map(nexts)).toEqual([[2], [4], [7], [9]]);
  expect([queue.length, queue.bytes]).toEqual([0, 0]);
});

test('counts key, value and 200 bytes a record, and is roomy again at half', async () => {
  const queue = new RecordQueue({ queueBytes: 1_000 }, Date.now);
  queue.push(run(record(0, 100, 20), record(1, null)));
  // 200 + 100 + 20, and 200
  expect([queue.bytes, queue.length, queue.others.full, queue.others.roomy]).toEqual([520, 2, false, false]);
  queue.push(run(record(2, 280)));
  expect([queue.bytes, queue.others.full]).toEqual([1_000, true]);
  await queue.take(1, 0);
  expect([queue.bytes, queue.others.full, queue.others.roomy]).toEqual([680, false, false]);
  await queue.take(1, 0);
  expect([queue.bytes, queue.others.roomy]).toEqual([480, true]);
});

test('wakes whoever waits when records come, and when it is closed', async () => {
  const queue = new RecordQueue({ queueBytes: 1_000 }, Date.now);
  const waiting = queue.take(5, 60_000);
  queue.push(run(record(0)));
  expect(offsets(await waiting)).toEqual([0]);
  const closing = queue.take(5, 60_000);
  queue.close();
  expect(await closing).toEqual([]);
  // Closed: what is there is still given, and nobody waits.
  queue.push(run(record(1)));
  expect(offsets(await queue.take(5, 60_000))).toEqual([1]);
  expect(await queue.take(5, 60_000)).toEqual([]);
});

test('knows the arrival of the oldest record taken last', async () => {
  const now = { ms: 100 };
  const queue = new RecordQueue({ queueBytes: 10_000 }, () => now.ms);
  expect(queue.takenSince).toBeUndefined();
  queue.push(run(record(0), record(1)));
  now.ms = 200;
  queue.push(run());
  queue.push(run(record(2), record(3)));
  const since = async (limit: number) => {
    await queue.take(limit, 0);
    return queue.takenSince;
  };
  expect([await since(1), await since(2), await since(1)]).toEqual([100, 100, 200]);
  // Nothing taken says nothing new.
  now.ms = 300;
  expect(await since(1)).toBe(200);
  queue.push(run(record(4)));
  expect(await since(9)).toBe(300);
});

test('gives urgent runs before all others, whose bound they do not touch', async () => {
  const now = { ms: 100 };
  const queue = new RecordQueue({ queueBytes: 1_000 }, () => now.ms);
  queue.push(run(record(0), record(1), record(2), record(3)));
  now.ms = 200;
  queue.push({ ...run(record(7, 10)), topic: 'urgent' }, queue.urgent);
  expect([queue.others.full, queue.urgent.full, queue.length, queue.bytes]).toEqual([true, false, 5, 1_410]);
  expect((await queue.take(3, 0)).map(({ topic, records }) => [topic, records.length])).toEqual([
    ['urgent', 1],
    ['t', 2],
  ]);
  expect([queue.takenSince, queue.urgent.roomy, queue.others.full]).toEqual([100, true, false]);
  expect(offsets(await queue.take(3, 0))).toEqual([2, 3]);
});

test('gives few of the others while more urgent runs come than it takes', async () => {
  const queue = new RecordQueue({ queueBytes: 4_000 }, Date.now);
  for (let i = 0; i < 20; i++) queue.push(run(record(i)));
  const urgent = () => queue.push({ ...run(record(0, 800)), topic: 'urgent' }, queue.urgent);
  const taken = async () => (await queue.take(16, 0)).map(({ topic }) => topic);
  urgent();
  expect(queue.urgent.full).toBe(true);
  expect(await taken()).toEqual(['urgent', 't', 't']);
  urgent();
  expect(await taken()).toEqual(['urgent', 't', 't']);
  expect(await taken()).toHaveLength(16);
});
