import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { RecordRun, SourceRecord } from '../../../src/pipeline/ports.ts';
import { Intake } from '../../../src/pipeline/reading/intake.ts';

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

const intakeOf = (queueBytes: number, clock = Date.now) =>
  new Intake(
    { queueBytes },
    clock,
    () => undefined,
    (topic) => topic === 'urgent',
  );

test('gives runs with their next offsets, and splits a run at the limit', async () => {
  const intake = intakeOf(10_000);
  // Offset 3 is no record, 5 and 6 are markers, and so is all of the second run.
  void intake.take({ ...run(record(1), record(2), record(4)), next: 7 });
  void intake.take({ ...run(), next: 9 });
  const nexts = (runs: RecordRun[]) => runs.map(({ next }) => next);
  const taken = [
    await intake.next(1, 0),
    await intake.next(1, 0),
    await intake.next(1, 0),
    await intake.next(1, 0),
  ];
  expect(taken.map(offsets)).toEqual([[1], [2], [4], []]);
  expect(taken.map(nexts)).toEqual([[2], [4], [7], [9]]);
  expect([intake.records, intake.bytes]).toEqual([0, 0]);
});

test('counts key, value and 200 bytes a record; a full intake has room again at half', async () => {
  const intake = intakeOf(1_000);
  expect(intake.take(run(record(0, 100, 20), record(1, null)))).toBeUndefined();
  // 200 + 100 + 20, and 200
  expect([intake.bytes, intake.records]).toEqual([520, 2]);
  let hasRoom = false;
  const room = intake.take(run(record(2, 280)))?.then(() => {
    hasRoom = true;
  });
  expect(room).toBeDefined();
  expect(intake.bytes).toBe(1_000);
  await intake.next(1, 0);
  await setImmediate();
  expect([intake.bytes, hasRoom]).toEqual([680, false]);
  await intake.next(1, 0);
  await room;
  expect(intake.bytes).toBe(480);
  expect(intake.take(run(record(3)))).toBeUndefined();
});

test('holds two mebibytes at most, whatever the bound of all that is read ahead', () => {
  const intake = intakeOf(1e9);
  expect(intake.take(run(record(0, 2 ** 20)))).toBeUndefined();
  expect(intake.take(run(record(1, 2 ** 20)))).toBeDefined();
});

test('tells how many records wait beside those taken last: without end where few large ones fill half of the room', async () => {
  const intake = intakeOf(2_000);
  const taken = async (limit: number) => {
    await intake.next(limit, 0);
    return intake.backlog;
  };
  for (const offset of [0, 1, 2, 3]) void intake.take(run(record(offset, 0, 49)));
  // 249 bytes each.
  expect([await taken(1), await taken(1)]).toEqual([3, 2]);
  void intake.take(run(record(4, 0, 300)));
  expect(await taken(3)).toBe(0);
  void intake.take(run(record(5, 0, 800)));
  expect([await taken(5), await taken(5)]).toEqual([Number.POSITIVE_INFINITY, 0]);
  // What comes while nothing is taken waits as well.
  void intake.take(run(record(6, 0, 49), record(7, 0, 49)));
  await intake.pause(1);
  expect(intake.backlog).toBe(2);
});

test('wakes whoever waits when records come, and when it is closed', async () => {
  const intake = intakeOf(1_000);
  const waiting = intake.next(5, 60_000);
  void intake.take(run(record(0)));
  expect(offsets(await waiting)).toEqual([0]);
  const closing = intake.next(5, 60_000);
  intake.close();
  expect(await closing).toEqual([]);
  // Closed: what is there is still given, and nobody waits.
  void intake.take(run(record(1)));
  expect(offsets(await intake.next(5, 60_000))).toEqual([1]);
  expect(await intake.next(5, 60_000)).toEqual([]);
});

test('knows the arrival of the oldest record taken last', async () => {
  const now = { ms: 100 };
  const intake = intakeOf(10_000, () => now.ms);
  expect(intake.takenSince).toBeUndefined();
  void intake.take(run(record(0), record(1)));
  now.ms = 200;
  void intake.take(run());
  void intake.take(run(record(2), record(3)));
  const since = async (limit: number) => {
    await intake.next(limit, 0);
    return intake.takenSince;
  };
  expect([await since(1), await since(2), await since(1)]).toEqual([100, 100, 200]);
  // Nothing taken says nothing new.
  now.ms = 300;
  expect(await since(1)).toBe(200);
  void intake.take(run(record(4)));
  expect(await since(9)).toBe(300);
});

test('gives urgent runs before all others, whose bound they do not touch', async () => {
  const now = { ms: 100 };
  const intake = intakeOf(1_000, () => now.ms);
  const room = intake.take(run(record(0), record(1), record(2), record(3)));
  expect(room).toBeDefined();
  now.ms = 200;
  expect(intake.take({ ...run(record(7, 10)), topic: 'urgent' })).toBeUndefined();
  expect([intake.records, intake.bytes]).toEqual([5, 1_410]);
  expect((await intake.next(3, 0)).map(({ topic, records }) => [topic, records.length])).toEqual([
    ['urgent', 1],
    ['t', 2],
  ]);
  expect(intake.takenSince).toBe(100);
  expect(offsets(await intake.next(3, 0))).toEqual([2, 3]);
  await room;
});

test('gives few of the others while more urgent runs come than it takes', async () => {
  const intake = intakeOf(4_000);
  for (let i = 0; i < 20; i++) void intake.take(run(record(i)));
  const urgent = () => intake.take({ ...run(record(0, 800)), topic: 'urgent' });
  const taken = async () => (await intake.next(16, 0)).map(({ topic }) => topic);
  expect(urgent()).toBeDefined();
  expect(await taken()).toEqual(['urgent', 't', 't']);
  void urgent();
  expect(await taken()).toEqual(['urgent', 't', 't']);
  expect(await taken()).toHaveLength(16);
});
