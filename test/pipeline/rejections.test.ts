import { expect, test } from 'vitest';
import { BadEvent } from '../../src/errors/errors.ts';
import { Rejections } from '../../src/pipeline/rejections.ts';
import { keptLog } from './faulty-sink.ts';

const MINUTE = 60_000;
const WRONG = new BadEvent('wrong-shape', 'userId: expected a string or an integer, seen null');
const LATE = new BadEvent('looks-like-seconds', 'at: 1795885000 looks like seconds; send milliseconds');

function setUp() {
  const log = keptLog();
  const clock = { now: 1_000 };
  const rejections = new Rejections({
    graph: 'shop',
    topics: ['web.views', 'shop.orders'],
    log,
    clock: () => clock.now,
  });
  let offset = 0;
  return {
    rejections,
    clock,
    lines: log.lines,
    take: (topic: string, records: number, problem?: BadEvent) => {
      for (let n = 0; n < records; n++) {
        const record = { topic, partition: 3, offset: offset++, timestamp: 0, key: null, value: null };
        rejections.take(record, problem);
      }
    },
  };
}

test('a topic of which one code rejects a tenth is told, with topic, code, counts and an example', () => {
  const { rejections, lines, take } = setUp();
  take('web.views', 90);
  take('web.views', 10, WRONG);
  rejections.look();
  expect(lines).toEqual([
    {
      fields: {
        graph: 'shop',
        topic: 'web.views',
        code: 'wrong-shape',
        rejected: 10,
        records: 100,
        partition: 3,
        offset: 90,
        reason: WRONG.message,
      },
      message: `many records of web.views are rejected as wrong-shape, such as offset 90 of partition 3: ${WRONG.message}`,
    },
  ]);
});

test('fewer than a tenth, or fewer than 100 records, are no warning', () => {
  const { rejections, lines, take } = setUp();
  take('web.views', 91);
  take('web.views', 9, WRONG);
  take('shop.orders', 99, WRONG);
  rejections.look();
  expect(lines).toEqual([]);
  // The 100th record of the topic.
  take('shop.orders', 1);
  rejections.look();
  expect(lines.map(({ fields }) => fields)).toMatchObject([
    { topic: 'shop.orders', rejected: 99, records: 100 },
  ]);
});

test('a topic is told of once a minute, with what came since, each code for itself', () => {
  const { rejections, lines, clock, take } = setUp();
  take('web.views', 100, WRONG);
  rejections.look();
  take('web.views', 300, WRONG);
  clock.now += MINUTE - 1;
  rejections.look();
  expect(lines).toHaveLength(1);
  take('web.views', 100, LATE);
  clock.now += 1;
  rejections.look();
  expect(lines.slice(1).map(({ fields }) => fields)).toMatchObject([
    { code: 'wrong-shape', rejected: 300, records: 400, offset: 100 },
    { code: 'looks-like-seconds', rejected: 100, records: 400, offset: 400 },
  ]);
  // What is over is no longer told.
  take('web.views', 500);
  clock.now += MINUTE;
  rejections.look();
  expect(lines).toHaveLength(3);
});

test('counts by topic and code go on over all looks, and every topic has an entry', () => {
  const { rejections, clock, take } = setUp();
  expect(rejections.byTopic()).toEqual({ 'web.views': {}, 'shop.orders': {} });
  take('web.views', 150, WRONG);
  rejections.look();
  clock.now += MINUTE;
  take('web.views', 2, WRONG);
  take('web.views', 1, LATE);
  take('another.topic', 7, WRONG);
  expect(rejections.byTopic()).toEqual({
    'web.views': { 'wrong-shape': 152, 'looks-like-seconds': 1 },
    'shop.orders': {},
  });
  expect(rejections.total).toBe(153);
});
