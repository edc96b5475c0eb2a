import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LogConnection } from '../../src/adapters/connect.ts';
import { ServedRun } from '../../src/compose/served-run.ts';
import { loadConfig } from '../../src/config/load.ts';
import { RetryableError } from '../../src/errors/errors.ts';
import { silentLog } from '../../src/log.ts';
import type { EventLog, Follower, SourceRecord } from '../../src/pipeline/ports.ts';
import { Gate } from '../../src/serve/shared-passes.ts';
import { embeddingHeaders, encodeVector } from '../../topics/embeddings.ts';
import { relationHeaders } from '../../topics/model.ts';
import { recordOf } from '../pipeline/memory-log.ts';
import { memoryReader } from '../pipeline/memory-reader.ts';
import { embedding, relationVector, tweet, user } from '../serve/serve-fixture.ts';

const unused = () => {
  throw new Error('not used by serve');
};

const EMBEDDINGS = 'twhin.embeddings.engagement';
const of = { graph: 'engagement' };

function vectorRecord(offset: number, key: string, vector: readonly number[] | null): SourceRecord {
  const value = vector === null ? null : encodeVector(Float32Array.from(vector));
  const headers = embeddingHeaders(embedding(vector, of));
  return recordOf({ topic: EMBEDDINGS, key, value, headers }, { offset, timestamp: 1 });
}
const relationRecord = recordOf(
  {
    ...{ topic: 'twhin.model.engagement', key: 'relation:likes', value: encodeVector(Float32Array.of(0, 1)) },
    headers: relationHeaders(relationVector('likes', [0, 1], of)),
  },
  { offset: 0, timestamp: 1 },
);

const runs: ServedRun[] = [];
afterEach(async () => {
  for (const run of runs.splice(0)) await run.stop();
});

async function runOf(
  log: EventLog,
  gate = new Gate(),
): Promise<{ run: ServedRun; visible: number[]; failures: Error[] }> {
  const config = await loadConfig({}, import.meta.dirname);
  const graph = config.graphs.find(({ name }) => name === 'engagement')!;
  const connection: LogConnection = {
    describe: 'memory',
    keepsAll: true,
    log: () => Object.assign(log, { [Symbol.asyncDispose]: async () => {} }),
    leadership: unused,
    shares: unused,
    sink: unused,
    admin: unused,
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
  const visible: number[] = [];
  const failures: Error[] = [];
  const run = new ServedRun(config, graph, {
    ...{ connection, edges: 100, gate, scanners: 1 },
    log: silentLog,
    visible: (_, ms) => void visible.push(ms),
    failed: (error) => void failures.push(error),
  });
  runs.push(run);
  return { run, visible, failures };
}

/** A run that has started, and what follows its topics. */
async function followed(gate?: Gate): Promise<{ run: ServedRun; followers: Follower[] }> {
  const log = memoryReader({ records: [relationRecord] }, { anyTopic: true });
  const followers: Follower[] = [];
  const follow: EventLog['follow'] = (topics, follower) => {
    followers.push(follower);
    return log.follow(topics, follower);
  };
  const { run } = await runOf({ ...log, follow }, gate);
  await run.start();
  return { run, followers };
}

describe('ServedRun', () => {
  it('is ready once vectors, relation vectors and events are read', async () => {
    const records = [relationRecord, vectorRecord(0, 'user:1', [0, 0]), vectorRecord(1, 'tweet:1', [1, 1])];
    const { run, visible, failures } = await runOf(memoryReader({ records }, { anyTopic: true }));
    expect(run.unready()).toEqual([
      ...['engagement: 0 % of the vectors are read', 'engagement: 0 % of the events are read'],
    ]);
    await run.start();
    await expect.poll(() => run.unready()).toEqual([]);
    expect(run.snapshot()).toMatchObject({
      ...{ graph: 'engagement', caughtUp: true, lag: 0, skipped: 0, spaces: 1, edges: 0 },
      vectors: { user: 1, tweet: 1 },
    });
    // How long a vector took is of no use while old ones are read.
    expect([visible, failures]).toEqual([[], []]);
  });

  it('lets others have their turn between two runs of records', async () => {
    const { followers } = await followed();
    const runs = [EMBEDDINGS, 'twhin.engagement'].map((topic) => ({
      topic,
      partition: 0,
      records: [],
      next: 0,
    }));
    for (const [i, follower] of followers.entries()) {
      let others = false;
      setImmediate(() => {
        others = true;
      });
      await follower.take(runs[i]!);
      expect(others).toBe(true);
    }
    expect(followers).toHaveLength(2);
  });

  it('has not caught up before what it read is in the tables, and reads no further meanwhile', async () => {
    const records = [relationRecord, vectorRecord(0, 'user:1', [0, 0]), vectorRecord(1, 'user:1', [1, 1])];
    const gate = new Gate();
    gate.shut();
    const write = vi.spyOn(gate, 'write');
    const { run } = await runOf(memoryReader({ records }, { anyTopic: true }), gate);
    await run.start();
    // One run of each topic.
    await expect.poll(() => write.mock.calls.length).toBe(2);
    expect(run.unready()).toContain('engagement: 0 % of the vectors are read');
    gate.open();
    await expect.poll(() => run.unready()).toEqual([]);
    expect([...run.spaces.current!.vectorOf(user(1))!]).toEqual([1, 1]);
  });

  it('leaves an erased entity out from its event on, whatever was read first, and lets it come back', async () => {
    const gate = new Gate();
    const { run, followers } = await followed(gate);
    const [vectors, events] = followers as [Follower, Follower];
    const run1 = (record: SourceRecord) => ({
      ...{ topic: record.topic, partition: 0, records: [record], next: record.offset + 1 },
    });
    const event = (topic: string, value: object) =>
      events.take(
        run1({
          ...{ topic: `twhin.${topic}`, partition: 0, offset: 0, timestamp: Date.now(), key: null },
          value: Buffer.from(JSON.stringify(value)),
        }),
      );
    const known = () => run.spaces.current?.vectorOf(tweet(1)) !== undefined;
    const at = embedding([0, 0]).at;
    await vectors.take(run1(vectorRecord(0, 'tweet:1', [1, 1])));
    expect(known()).toBe(true);
    // Lists are being made: the tables are changed after them.
    gate.shut();
    const taken = event('erasure', { entity: 'tweet:1', at: at - 1 });
    expect(known()).toBe(true);
    gate.open();
    await taken;
    expect(known()).toBe(false);
    await vectors.take(run1(vectorRecord(1, 'tweet:1', [1, 2])));
    expect(known()).toBe(false);
    await event('engagement', { userId: 1, tweetId: 1, action: 'like', at });
    expect(known()).toBe(true);
  });

  it('is not ready without relation vectors', async () => {
    const records = [vectorRecord(0, 'user:1', [0, 0])];
    const { run } = await runOf(memoryReader({ records }, { anyTopic: true }));
    await run.start();
    await expect.poll(() => run.unready()).toEqual([expect.stringContaining('no relation vectors')]);
  });

  it('is worth waiting for until it is read, or its topics can not be read', async () => {
    const log = memoryReader({ records: [vectorRecord(0, 'user:1', [0, 0])] }, { anyTopic: true });
    let isAway = true;
    const { run } = await runOf({
      ...log,
      ranges: async (topics) => {
        if (isAway) throw new RetryableError('broker-unreachable', 'out of reach');
        return log.ranges(topics);
      },
    });
    expect(run.isReading).toBe(true);
    const started = run.start();
    await expect.poll(() => run.isReading).toBe(false);
    expect(run.unready().at(-1)).toBe("engagement: the topics can't be read: out of reach");
    isAway = false;
    await started;
    expect(run.unready().join()).not.toContain('out of reach');
    // All is read, and there is nothing to make lists of: nobody has to wait for it.
    await expect.poll(() => run.isReading).toBe(false);
    expect(run.unready()).toEqual([expect.stringContaining('no relation vectors')]);
  });

  it('reads each topic once, although its start had to be tried again', async () => {
    const records = [relationRecord, vectorRecord(0, 'user:1', [0, 0]), vectorRecord(1, 'tweet:1', [1, 1])];
    const log = memoryReader({ records }, { anyTopic: true });
    const followed: string[] = [];
    let refusals = 1;
    const { run } = await runOf({
      ...log,
      ranges: async (topics) => {
        if (!topics.includes(EMBEDDINGS) && refusals-- > 0)
          throw new RetryableError('broker-unreachable', 'out of reach');
        return log.ranges(topics);
      },
      follow: (topics, follower) => {
        followed.push(...topics);
        return log.follow(topics, follower);
      },
    });
    await run.start();
    await expect.poll(() => run.unready()).toEqual([]);
    expect(followed.toSorted()).toEqual([...new Set(followed)].sort());
    expect(run.spaces.current?.vectorOf(tweet(1))).toEqual(Float32Array.of(1, 1));
    expect(run.spaces.current?.vectorOf(user(1))).toEqual(Float32Array.of(0, 0));
  });

  it('begins nothing once it is stopped, and tries nothing again', async () => {
    let asked = 0;
    const { run } = await runOf({
      ...memoryReader({ records: [] }, { anyTopic: true }),
      ranges: async () => {
        asked++;
        throw new RetryableError('broker-unreachable', 'out of reach');
      },
    });
    const started = run.start();
    await expect.poll(() => run.isReading).toBe(false);
    await run.stop();
    await started;
    const before = asked;
    await run.start();
    expect([before, asked]).toEqual([1, before]);
  });
});
