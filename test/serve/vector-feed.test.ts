import { beforeEach, describe, expect, it } from 'vitest';
import { FatalError } from '../../src/errors/errors.ts';
import type { RecordRun, SourceRecord } from '../../src/pipeline/ports.ts';
import { type SkippedRecord, VectorFeed } from '../../src/serve/reading.ts';
import { Gate } from '../../src/serve/shared-passes.ts';
import { Spaces } from '../../src/serve/spaces.ts';
import { embeddingHeaders, encodeVector } from '../../topics/embeddings.ts';
import { relationHeaders } from '../../topics/model.ts';
import { embedding, relationVector, tweet } from './serve-fixture.ts';

const EMBEDDINGS = 'twhin.embeddings.g';
const MODEL = 'twhin.model.g';

let spaces: Spaces;
let gate: Gate;
let skipped: SkippedRecord[];
let visible: number[];
let feed: VectorFeed;

function feedOf(maxRows: number): void {
  spaces = new Spaces(maxRows);
  gate = new Gate();
  skipped = [];
  visible = [];
  feed = new VectorFeed({
    ...{ graph: 'g', types: ['user', 'tweet'], modelTopic: MODEL, spaces, gate },
    skipped: (record) => void skipped.push(record),
    visible: (timestamp) => void visible.push(timestamp),
  });
}
beforeEach(() => feedOf(100));

type Sent = Pick<SourceRecord, 'topic' | 'key' | 'value'> & { headers?: Record<string, string> };

function vectorRecord(
  key: string | null,
  vector: readonly number[] | null,
  headers: Record<string, string | undefined> = {},
): Sent {
  const all = Object.entries({ ...embeddingHeaders(embedding(vector)), ...headers });
  return {
    topic: EMBEDDINGS,
    key: key === null ? null : Buffer.from(key),
    value: vector === null ? null : encodeVector(Float32Array.from(vector)),
    headers: Object.fromEntries(all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
  };
}

function relationRecord(key: string, vector: readonly number[], headers: Record<string, string> = {}): Sent {
  return {
    topic: MODEL,
    key: Buffer.from(key),
    value: encodeVector(Float32Array.from(vector)),
    headers: { ...relationHeaders(relationVector('likes', vector)), ...headers },
  };
}

/** A run of these records, from offset 100 on, each written a millisecond after the one before. */
function runOf(sent: readonly Sent[]): RecordRun {
  const records = sent.map(({ headers, ...record }, i) => ({
    ...{ partition: 3, offset: 100 + i, timestamp: 1_000 + i },
    ...record,
    ...(headers && {
      headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
    }),
  }));
  return { topic: sent[0]?.topic ?? EMBEDDINGS, partition: 3, records, next: 100 + sent.length };
}

describe('VectorFeed', () => {
  it('puts vectors, tombstones and relation vectors into the spaces', async () => {
    await feed.take(
      runOf([relationRecord('relation:likes', [0, 1]), relationRecord('relation:likes/inverse', [1, 0])]),
    );
    await feed.take(
      runOf([
        vectorRecord('tweet:1', [1, 2]),
        vectorRecord('tweet:a:b', [3, 4]),
        vectorRecord('tweet:1', null),
      ]),
    );
    expect(spaces.current?.vectorOf(tweet('a:b'))).toEqual(Float32Array.of(3, 4));
    expect(spaces.current?.vectorOf(tweet(1))).toBeUndefined();
    expect([...spaces.current!.relations.keys()]).toEqual(['relation:likes', 'relation:likes/inverse']);
    expect([feed.skippedRecords, skipped]).toEqual([0, []]);
    expect(visible).toEqual([1_000, 1_001, 1_000, 1_001, 1_002]);
  });

  const NO_VECTORS: readonly (readonly [string, Sent, RegExp])[] = [
    [
      'a vector of another length than its space',
      vectorRecord('tweet:2', [1, 2, 3]),
      /3 numbers; expected 2/,
    ],
    ['no numbers at all', vectorRecord('user:2', [], { space: 'z' }), /dim is 0/],
    ['a number that is NaN', vectorRecord('tweet:2', [1, Number.NaN]), /not finite/],
    ['a number that is infinite', vectorRecord('tweet:2', [1, Number.POSITIVE_INFINITY]), /not finite/],
    ['no headers at all', { ...vectorRecord('tweet:2', [1, 2]), headers: {} }, /header dtype is missing/],
    ['another graph', vectorRecord('tweet:2', [1, 2], { graph: 'h' }), /graph h, not g/],
    ['a tombstone of another graph', vectorRecord('tweet:1', null, { graph: 'h' }), /graph h, not g/],
    ['no key', vectorRecord(null, [1, 2]), /not an entity/],
    ['a key of a type that the graph has not', vectorRecord('rocket:1', [1, 2]), /none of .*: user, tweet$/],
    [
      'a relation of another graph',
      relationRecord('relation:likes', [1, 2], { graph: 'h' }),
      /graph h, not g/,
    ],
    ['a relation of another length', relationRecord('relation:likes', [1, 2, 3]), /3 numbers/],
    ['a deleted relation', { ...relationRecord('relation:likes', [1, 2]), value: null }, /never deleted/],
  ];

  it.each(NO_VECTORS)('skips a record with %s, names it, and goes on', async (_, wrong, reason) => {
    await feed.take(runOf([relationRecord('relation:likes', [0, 1])]));
    await feed.take(runOf([vectorRecord('tweet:1', [1, 2])]));
    visible.length = 0;
    await feed.take(runOf([wrong, vectorRecord('tweet:3', [5, 6])]));
    expect(skipped).toEqual([
      { topic: wrong.topic, partition: 3, offset: 100, reason: expect.stringMatching(reason) },
    ]);
    expect([feed.skippedRecords, visible]).toEqual([1, [1_001]]);
    const table = spaces.current?.table('tweet');
    expect([...table!.names()]).toEqual(['tweet:1', 'tweet:3']);
    // Nothing that is skipped makes a table.
    expect(spaces.current?.types).toEqual(['tweet']);
    expect([spaces.all.length, table?.vectorOf(tweet(1))]).toEqual([1, Float32Array.of(1, 2)]);
    expect(spaces.current?.relations.get('relation:likes')?.vector).toEqual(Float32Array.of(0, 1));
  });

  it('counts every record of spaces that are refused, and names the first alone', async () => {
    const strays = ['a', 'b', 'c', 'd', 'e', 'f'].map((space, i) =>
      vectorRecord(`tweet:${i}`, [1, 2], { space }),
    );
    await feed.take(runOf(strays));
    expect(skipped).toEqual([
      {
        topic: EMBEDDINGS,
        partition: 3,
        offset: 104,
        reason: expect.stringMatching(/space e, and 4 others/),
      },
    ]);
    expect([feed.skippedRecords, feed.refusedRecords, visible.length]).toEqual([2, 2, 4]);
  });

  it('erases by a tombstone whatever its headers are, as long as they do not name another graph', async () => {
    await feed.take(runOf([1, 2, 3].map((i) => vectorRecord(`tweet:${i}`, [i, 0]))));
    const bare = { ...vectorRecord('tweet:1', null), headers: {} };
    const { headers: _, ...without } = vectorRecord('tweet:2', null);
    await feed.take(runOf([bare, without, vectorRecord('tweet:3', null, { dim: 'x', space: undefined })]));
    expect([...(spaces.current?.table('tweet')?.names() ?? [])]).toEqual([]);
    expect([feed.skippedRecords, visible.length]).toEqual([0, 6]);
  });

  it('does not begin a space, or serve one, because of a record that it skips', async () => {
    await feed.take(
      runOf([vectorRecord('no entity', [1, 2]), vectorRecord('tweet:1', [Number.NaN, 2], { space: 'b' })]),
    );
    expect([spaces.current, spaces.all, feed.skippedRecords]).toEqual([undefined, [], 2]);
  });

  it('lets vectors wait while scans are out: in order, visible once they are written, and judged then', async () => {
    await feed.take(runOf([relationRecord('relation:likes', [0, 1]), vectorRecord('tweet:1', [1, 2])]));
    visible.length = 0;
    gate.shut();
    const taken = [
      feed.take(runOf([vectorRecord('tweet:1', [3, 4]), vectorRecord('user:1', [Number.NaN, 0])])),
      feed.take(runOf([vectorRecord('tweet:2', [5, 6]), vectorRecord('tweet:1', null)])),
      feed.take(runOf([relationRecord('relation:likes', [2, 2])])),
      feed.take(runOf([vectorRecord('tweet:3', [1, 2, 3])])),
    ];
    expect(spaces.current?.vectorOf(tweet(1))).toEqual(Float32Array.of(1, 2));
    expect([visible, [...spaces.current!.table('tweet')!.names()]]).toEqual([[], [tweet(1)]]);
    expect(spaces.current?.relations.get('relation:likes')?.vector).toEqual(Float32Array.of(0, 1));
    gate.open();
    await Promise.all(taken);
    expect([...spaces.current!.table('tweet')!.names()]).toEqual([tweet(2)]);
    expect(spaces.current?.relations.get('relation:likes')?.vector).toEqual(Float32Array.of(2, 2));
    expect(visible).toEqual([1_000, 1_000, 1_001, 1_000]);
    expect(skipped.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/not finite/),
      expect.stringMatching(/3 numbers; expected 2/),
    ]);
    // It is open again: what comes is written at once.
    void feed.take(runOf([vectorRecord('tweet:5', [1, 2])]));
    expect(spaces.current?.vectorOf(tweet(5))).toEqual(Float32Array.of(1, 2));
  });

  it('does not go on when a table is full, found out at once or later', async () => {
    feedOf(1);
    const run = runOf([
      vectorRecord('tweet:1', [1, 2]),
      vectorRecord('tweet:2', [1, 2]),
      vectorRecord('user:1', [1, 2]),
    ]);
    expect(() => feed.take(run)).toThrow(expect.objectContaining({ code: 'table-full' }));
    expect(() => feed.take(runOf([vectorRecord('tweet:2', [1, 2])]))).toThrow(FatalError);
    gate.shut();
    const later = expect(feed.take(run)).rejects.toMatchObject({ code: 'table-full' });
    gate.open();
    await later;
    expect([feed.skippedRecords, skipped]).toEqual([0, []]);
  });
});
