import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { Fetched, Wanted } from '../../../../src/adapters/kafka/reader/fetch.ts';
import { type Cluster, FetchLoop, type Leaders } from '../../../../src/adapters/kafka/reader/fetch-loop.ts';
import { FatalError, RetryableError } from '../../../../src/errors/errors.ts';
import type { Trouble } from '../../../../src/pipeline/ports.ts';
import { numbersOf, until } from '../../../kafka/collector.ts';
import { count, drain, take } from '../../reader-conformance.ts';
import { counted } from '../batch-bytes.ts';

const NOTHING = Buffer.alloc(0);
const nothingLost: Leaders['epochEnds'] = async (_, asked) =>
  asked.map(({ epoch }) => ({ epoch, offset: Number.MAX_SAFE_INTEGER }));
const open: FetchLoop[] = [];
afterEach(() => Promise.all(open.splice(0).map((reading) => reading.close())));

/** A cluster of made-up answers. */
class StandIn implements Cluster {
  readonly address = 'stand-in';
  /** Leader of each partition of any topic. */
  leads: string[] = ['1'];
  held = { low: 0, high: 100 };
  isCompacted = true;
  readonly asked: Wanted[][] = [];
  readonly waits: number[] = [];
  readonly troubles: Trouble[] = [];
  sessions = 0;
  answer: (wanted: Wanted, all: readonly Wanted[]) => Partial<Fetched> | undefined = () => undefined;

  range = async () => this.held;
  id = 'id';
  topicId = async () => this.id;
  epochEnds = nothingLost;
  compacted = async () => this.isCompacted;

  async leaders(): Promise<Leaders> {
    this.sessions++;
    const partitions = this.leads.map((leader) => ({ leader, epoch: 7 }));
    return {
      of: () => ({ id: this.id, partitions }),
      epochEnds: this.epochEnds,
      close: async () => {},
      fetch: async (_: string, wanted: readonly Wanted[], waitMs: number) => {
        this.asked.push([...wanted]);
        this.waits.push(waitMs);
        await sleep(waitMs === 0 ? 0 : 2);
        return wanted.flatMap((one): Fetched[] => {
          const given = this.answer(one, wanted);
          const { topic, partition } = one;
          const none = { topic, partition, error: 0, stableOffset: one.offset, aborted: [], bytes: NOTHING };
          return given === undefined ? [] : [{ ...none, ...given }];
        });
      },
    };
  }

  read(untils: readonly number[], { aheadBytes = 1 << 20, fetchBytes = 1 << 19 } = {}): FetchLoop {
    const stretches = untils.map((end, partition) => ({ topic: 't', partition, from: 0, until: end }));
    const onTrouble = (trouble: Trouble) => this.troubles.push(trouble);
    const reading = new FetchLoop(this, stretches, { aheadBytes, fetchBytes, onTrouble });
    open.push(reading);
    return reading;
  }
}

describe('an answer without a whole batch', () => {
  test('is the end of a compacted topic, where the partition was fetched alone', async () => {
    const cluster = new StandIn();
    cluster.leads = ['1', '1'];
    cluster.answer = ({ partition, offset }) =>
      partition === 1
        ? { stableOffset: 0 }
        : { bytes: offset === 0 ? counted(0, 5) : NOTHING, stableOffset: 50 };
    const reading = cluster.read([50, 50]);
    expect(numbersOf(await drain(reading.cursors[0]))).toEqual([0, 1, 2, 3, 4]);
    expect(cluster.asked.some((all) => all.length === 1 && all[0]?.offset === 5)).toBe(true);
    expect(cluster.troubles).toEqual([]);
  });

  test('of any other topic is retried: a broker that could not read in time answers the same', async () => {
    const cluster = new StandIn();
    cluster.isCompacted = false;
    let answers = 0;
    cluster.answer = ({ offset }) => {
      if (offset === 0) return { bytes: counted(0, 5), stableOffset: 10 };
      return { bytes: answers++ < 2 ? NOTHING : counted(5, 5), stableOffset: 10 };
    };
    const reading = cluster.read([10]);
    expect(numbersOf(await drain(reading.cursors[0]))).toEqual(count(0, 10));
    expect(cluster.troubles.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(cluster.troubles[0]?.reason).toContain(
      't/0 ends at 10, but its leader gave no whole batch from 5 on',
    );
  });

  test('says nothing of a partition that it leaves out', async () => {
    const cluster = new StandIn();
    let answers = 0;
    cluster.answer = () => (answers++ < 3 ? undefined : { bytes: counted(0, 5), stableOffset: 5 });
    expect(numbersOf(await drain(cluster.read([5]).cursors[0]))).toEqual(count(0, 5));
  });
});

test('a stretch that ends inside a batch ends there, and stays at its end', async () => {
  const cluster = new StandIn();
  cluster.answer = ({ offset }) => ({ bytes: counted(offset, 10), stableOffset: 1000 });
  const [cursor] = cluster.read([15]).cursors;
  expect(numbersOf(await drain(cursor))).toEqual(count(0, 15));
  expect(await cursor?.next()).toBeUndefined();
  expect(await cursor?.nextRun()).toBeUndefined();
});

test('a batch that is too large beside others is fetched alone', async () => {
  const cluster = new StandIn();
  cluster.leads = ['1', '1', '1'];
  const large = counted(0, 500);
  cluster.answer = ({ partition }, all) => {
    if (partition !== 1) return { bytes: counted(0, 5), stableOffset: 5 };
    return { bytes: all.length > 1 ? large.subarray(0, 700) : large, stableOffset: 500 };
  };
  const reading = cluster.read([5, 500, 5]);
  expect(numbersOf(await drain(reading.cursors[1]))).toEqual(count(0, 500));
  expect(numbersOf(await drain(reading.cursors[2]))).toEqual(count(0, 5));
});

test('no more is read ahead than configured, and taken records make room', async () => {
  const cluster = new StandIn();
  const size = counted(10, 10).length;
  cluster.answer = ({ offset }) => ({ bytes: counted(offset, 10), stableOffset: 1000 });
  const reading = cluster.read([100], { aheadBytes: 4 * size, fetchBytes: size });
  await until('four fetches', () => cluster.asked.length === 4);
  await sleep(50);
  expect(cluster.asked.length).toBe(4);
  expect(reading.cursors[0]?.aheadBytes).toBeLessThanOrEqual(4 * size);
  await reading.cursors[0]?.next();
  await until('a fifth', () => cluster.asked.length === 5);
  expect(numbersOf(await drain(reading.cursors[0]))).toEqual(count(10, 100));
});

test('while one cursor is full, no fetch for another waits at the broker', async () => {
  const cluster = new StandIn();
  cluster.leads = ['1', '1'];
  cluster.answer = ({ partition, offset }) =>
    partition === 0 ? { bytes: counted(offset, 10), stableOffset: 1000 } : {};
  cluster.read([1000, 1000], { aheadBytes: 100, fetchBytes: 50 });
  await until('fetches of the quiet one', () => cluster.asked.length > 5);
  for (const [index, wanted] of cluster.asked.entries()) {
    expect(cluster.waits[index] === 0).toBe(wanted.length === 1);
  }
});

test('two cursors of one partition are never in one request, and both move on', async () => {
  const cluster = new StandIn();
  cluster.answer = ({ offset }) => ({ bytes: counted(offset, 10), stableOffset: 1000 });
  const stretch = { topic: 't', partition: 0, from: 0, until: 1000 };
  const onTrouble = () => {};
  const reading = new FetchLoop(cluster, [stretch, stretch], {
    aheadBytes: 500,
    fetchBytes: 200,
    onTrouble,
  });
  open.push(reading);
  expect(numbersOf(await drain(reading.cursors[1]))).toEqual(count(0, 1000));
  expect(numbersOf(await drain(reading.cursors[0]))).toEqual(count(0, 1000));
  expect(cluster.asked.every((all) => all.length === 1)).toBe(true);
});

test('a cursor that tails a partition leaves room for one that catches up on it', async () => {
  const cluster = new StandIn();
  cluster.answer = ({ offset }) =>
    offset < 1000 ? { bytes: counted(offset, 10), stableOffset: 1000 } : { stableOffset: 1000 };
  const [topic, partition] = ['t', 0];
  const stretches = [
    { topic, partition, from: 1000, until: Number.MAX_SAFE_INTEGER },
    { topic, partition, from: 0, until: 1000 },
  ];
  const options = { aheadBytes: 500, fetchBytes: 200, onTrouble: () => {} };
  const reading = new FetchLoop(cluster, stretches, options);
  open.push(reading);
  expect(numbersOf(await drain(reading.cursors[1]))).toEqual(count(0, 1000));
});

describe('a refusal of a leader', () => {
  const refusing = (error: number, times = Number.POSITIVE_INFINITY): StandIn => {
    const cluster = new StandIn();
    cluster.leads = ['1', '1'];
    let answers = 0;
    cluster.answer = ({ partition, offset }) => {
      if (offset === 0) return { bytes: counted(0, 5), stableOffset: 10 };
      return partition === 0 && answers++ < times ? { error } : { bytes: counted(5, 5), stableOffset: 10 };
    };
    return cluster;
  };

  test('of a moved partition begins a new session, with no record lost or repeated', async () => {
    const cluster = refusing(6, 3);
    const reading = cluster.read([10, 10]);
    expect((await Promise.all(reading.cursors.map(drain))).map(numbersOf)).toEqual([
      count(0, 10),
      count(0, 10),
    ]);
    expect(cluster.sessions).toBe(4);
  });

  test.each([
    [{ low: 6, high: 10 }, /offset 5 of t\/0 .* 6 to 10; retention/],
    [{ low: 0, high: 4 }, /offset 5 of t\/0 .* 0 to 4; the brokers lost the end/],
  ])('out of the range %o ends the cursor, after the records read ahead', async (held, message) => {
    const cluster = refusing(1);
    cluster.held = held;
    const reading = cluster.read([10, 10]);
    expect(numbersOf(await take(reading.cursors[0], 5))).toEqual(count(0, 5));
    await expect(reading.cursors[0]?.next()).rejects.toThrow(message);
    await expect(reading.cursors[0]?.next()).rejects.toMatchObject({ code: 'offset-out-of-range' });
    expect(numbersOf(await drain(reading.cursors[1]))).toEqual(count(0, 10));
  });

  test('out of range, though the log holds the offset, is retried', async () => {
    const cluster = refusing(1, 2);
    expect(numbersOf(await drain(cluster.read([10]).cursors[0]))).toEqual(count(0, 10));
    expect(cluster.troubles.length).toBe(2);
  });

  test('for a missing right names the right and the topic', async () => {
    const cluster = refusing(29);
    const reading = cluster.read([10]);
    await take(reading.cursors[0], 5);
    await expect(reading.cursors[0]?.next()).rejects.toMatchObject({ code: 'not-authorized' });
    await expect(reading.cursors[0]?.next()).rejects.toThrow(/reading t is denied at stand-in; grant READ/);
  });
});

describe('a log whose history is another one', () => {
  const lost = { code: 'log-diverged', topic: 't' };
  /** Five records of leader epoch 3; then answers as given. */
  const thenGives = (cluster: StandIn, then: () => Partial<Fetched>) => {
    cluster.answer = ({ offset }) =>
      offset === 0 ? { bytes: counted(0, 5, { epoch: 3 }), stableOffset: 5 } : then();
  };

  test('is asked for what was read at the start of each session, and with each fetch', async () => {
    const cluster = new StandIn();
    const questions: unknown[] = [];
    cluster.epochEnds = (leader, asked) => {
      questions.push(asked);
      return nothingLost(leader, asked);
    };
    let refused = 0;
    thenGives(cluster, () => (refused++ === 0 ? { error: 74 } : { bytes: counted(5, 5, { epoch: 4 }) }));
    const [cursor] = cluster.read([10]).cursors;
    const runs = [await cursor?.nextRun(), await cursor?.nextRun()];
    expect(runs.map((run) => [run?.next, run?.epoch])).toEqual([
      [5, 3],
      [10, 4],
    ]);
    expect(questions).toEqual([[{ topic: 't', partition: 0, currentEpoch: 7, epoch: 3 }]]);
    const asked = cluster.asked.map(([one]) => [one?.offset, one?.epoch, one?.currentEpoch]);
    expect(asked).toEqual([
      [0, undefined, 7],
      [5, 3, 7],
      [5, 3, 7],
    ]);
  });

  test.each([
    [
      'at the start of a session',
      (cluster: StandIn) => {
        cluster.epochEnds = async () => [{ epoch: 3, offset: 4 }];
        thenGives(cluster, () => ({ error: 74 }));
      },
      /read up to offset 5 of leader epoch 3, .* ends at offset 4: .*--go-on t/,
    ],
    [
      'in an answer',
      (cluster: StandIn) => {
        thenGives(cluster, () => ({ diverging: { epoch: 2, offset: 4 } }));
      },
      /leader epoch 3, and in the log this epoch is not there/,
    ],
  ])('ends the cursor %s, after the records read ahead', async (_, begin, message) => {
    const cluster = new StandIn();
    begin(cluster);
    const [cursor] = cluster.read([10]).cursors;
    expect(numbersOf(await take(cursor, 5))).toEqual(count(0, 5));
    await expect(cursor?.next()).rejects.toThrow(message);
    await expect(cursor?.next()).rejects.toMatchObject(lost);
  });

  test('does not end the cursor of a compacted topic, of whose last epoch the leader never had a record', async () => {
    const cluster = new StandIn();
    cluster.epochEnds = async () => [{ epoch: 2, offset: 5 }];
    const answers = [{ error: 74 }, { diverging: { epoch: 2, offset: 6 } }];
    thenGives(cluster, () => answers.shift() ?? { bytes: counted(5, 5, { epoch: 4 }), stableOffset: 10 });
    expect(numbersOf(await drain(cluster.read([10]).cursors[0]))).toEqual(count(0, 10));
    cluster.isCompacted = false;
    answers.push({ error: 74 });
    await expect(drain(cluster.read([10]).cursors[0])).rejects.toMatchObject(lost);
  });

  test('ends the cursor by its id, where the topic was made again, whatever the log holds', async () => {
    const cluster = new StandIn();
    thenGives(cluster, () => {
      cluster.id = 'other';
      cluster.held = { low: 0, high: 3 };
      return { error: 1 };
    });
    const [cursor] = cluster.read([10]).cursors;
    await take(cursor, 5);
    await expect(cursor?.next()).rejects.toMatchObject({ code: 'topic-remade' });
  });
});

test('a close while a leader does not answer ends', async () => {
  const hanging = Promise.withResolvers<Fetched[]>();
  const cluster = new StandIn();
  let asked = false;
  cluster.leaders = async () => ({
    of: () => ({ id: 'id', partitions: [{ leader: '1', epoch: 7 }] }),
    epochEnds: nothingLost,
    fetch: () => {
      asked = true;
      return hanging.promise;
    },
    close: async () => hanging.reject(new RetryableError('broker-unreachable', 'the connection was closed')),
  });
  const reading = cluster.read([5]);
  await until('the question', () => asked);
  await reading.close();
  await expect(reading.cursors[0]?.next()).rejects.toMatchObject({ code: 'stopped' });
  expect(cluster.troubles).toEqual([]);
});

test('an error that no new session can mend ends every cursor', async () => {
  const cluster = new StandIn();
  cluster.leaders = async () => {
    throw new FatalError('broker-refused', 'wrong password');
  };
  const reading = cluster.read([5, 5]);
  for (const cursor of reading.cursors) await expect(cursor.next()).rejects.toThrow('wrong password');
});

test('a damaged batch ends its cursor for good, and no other', async () => {
  const cluster = new StandIn();
  cluster.leads = ['1', '1'];
  cluster.answer = ({ partition }) => {
    const bytes = counted(0, 5);
    if (partition === 0) bytes.writeUInt16BE(7, 21);
    return { bytes: Buffer.concat([bytes, counted(5, 5)]), stableOffset: 10 };
  };
  const reading = cluster.read([10, 10]);
  for (let asked = 0; asked < 3; asked++) {
    await expect(reading.cursors[0]?.next()).rejects.toMatchObject({ code: 'damaged-batch' });
  }
  expect(numbersOf(await drain(reading.cursors[1]))).toEqual(count(0, 10));
});
