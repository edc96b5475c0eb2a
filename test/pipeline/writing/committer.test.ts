import { describe, expect, test } from 'vitest';
import { EntityIndex } from '../../../src/graph/entity-index.ts';
import { GraphStore } from '../../../src/graph/graph-store.ts';
import { Layout } from '../../../src/graph/layout.ts';
import { Counters } from '../../../src/pipeline/counters.ts';
import { Alone } from '../../../src/pipeline/neighbours.ts';
import { OffsetLedger } from '../../../src/pipeline/reading/offset-ledger.ts';
import { Unwritten } from '../../../src/pipeline/reading/unwritten.ts';
import { soleLeadership } from '../../../src/pipeline/sole-leadership.ts';
import { Committer } from '../../../src/pipeline/writing/committer.ts';
import { Publisher } from '../../../src/pipeline/writing/publish.ts';
import { Writer } from '../../../src/pipeline/writing/writer.ts';
import { MODEL, user } from '../../graph/graph-fixture.ts';
import { DyingStore } from '../dying-store.ts';
import { FaultySink, keptLog } from '../faulty-sink.ts';
import { keptMeasures } from '../kept-measures.ts';
import { checkpointOf, StandInTrainer } from '../training/stand-in-trainer.ts';

const A = user('a');
const B = user('b');
const DUE = { everything: false, holdMs: 0 };
const OFFSETS = { 'twhin.follow': { '0': 3 } };

function setUp() {
  const kept = new DyingStore();
  const store = new GraphStore(kept, new Layout(MODEL));
  const index = new EntityIndex(4);
  const rows = { a: index.add(A, 10), b: index.add(B, 20) };
  const [trainer, sink, log] = [new StandInTrainer(), new FaultySink(), keptLog()];
  const [counters, unwritten] = [new Counters(), new Unwritten()];
  const now = { ms: 1_000 };
  const ledger = new OffsetLedger(OFFSETS);
  /** What was told of a commit, in order. */
  const order: string[] = [];
  const clock = () => now.ms;
  const measures = keptMeasures();
  const writer = new Writer(undefined, { role: 'leader' }, 'space');
  const tuning = { epsilon: 0.5, maxAgeMs: 9_000 };
  const publisher = new Publisher({
    writer,
    store,
    sink,
    topic: 'vectors',
    log,
    clock,
    measures,
    failed: () => undefined,
    header: { graph: 'test', dim: 2, dtype: 'float32', fingerprint: 'f' },
    watermark: () => committer.watermark,
  });
  const committer: Committer = new Committer(
    {
      graph: 'test',
      model: MODEL,
      store,
      trainer,
      index,
      counters,
      unwritten,
      publisher,
      neighbours: new Alone(),
      sink,
      log,
      measures,
      clock,
      writer,
      tuning,
      ledger,
      leadership: { ...soleLeadership, commit: async () => void order.push('group') },
      image: { outdated: async () => void order.push('image') },
    },
    undefined,
  );
  publisher.open = true;
  const all = { kept, store, index, rows, trainer, sink, log, counters, unwritten, publisher, committer };
  const commit = (asked = DUE) => committer.commit(unwritten.close(), asked);
  /** What the trainer gives for the next checkpoint. */
  const trained = (parts: Parameters<typeof checkpointOf>[0]) =>
    void trainer.checkpoints.push(Promise.resolve(checkpointOf(parts)));
  return { ...all, now, measures, tuning, ledger, order, commit, trained };
}

const edge = { lhs: A, relation: 'follows', rhs: B, at: 30, removed: false };
const letter = { topic: 'dead-letter', key: 'k', value: Buffer.from('bad'), headers: {} };
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('Committer', () => {
  test('writes everything at once, as of the moment the commit was asked for', async () => {
    const { store, index, rows, trainer, sink, counters, unwritten, publisher, committer, commit } = setUp();
    const pending = unwritten.open;
    pending.edges.set(store.layout.edgeId(edge), edge);
    pending.touched.add(rows.a).add(rows.b);
    pending.erasures.set(user('gone'), 9);
    counters.events.consumed = 3;
    counters.edgeChanged('follows', false, true);
    counters.watermark = 30;
    const checkpoint = Promise.withResolvers<ReturnType<typeof checkpointOf>>();
    trainer.checkpoints.push(checkpoint.promise);
    const committed = commit();
    expect(committer.busy).toBe(true);
    // What comes after it was asked for is not in it.
    counters.events.consumed = 4;
    counters.edgeChanged('follows', false, true);
    counters.watermark = 99;
    index.saw(rows.a, 99);
    index.add(user('later'), 99);
    checkpoint.resolve(
      checkpointOf({
        step: 6,
        vectors: { 0: [9, 9, 9, 9], [rows.a]: [1, 0, 2, 0], [rows.b]: [3, 0, 4, 0.5] },
        publish: [rows.a],
      }),
    );
    expect(await committed).toBe(1);
    expect(await store.head()).toEqual({
      format: 2,
      graph: 'test',
      model: MODEL,
      step: 6,
      random: [5, 6],
      rows: 6,
      offsets: OFFSETS,
      events: { consumed: 3, rejected: 0, duplicate: 0, late: 0 },
      edges: { follows: 1 },
      entities: { user: 2 },
      freed: [],
      outbox: 1,
      outboxParts: 1,
      watermark: 30,
      epoch: 0,
      space: 'space',
      stepBase: 0,
      topicIds: {},
    });
    expect(await store.entity(A)).toMatchObject({ firstSeen: 10, lastSeen: 10 });
    expect(await Array.fromAsync(store.edges())).toEqual([edge]);
    expect((await Array.fromAsync(store.rows())).map(({ row }) => row)).toEqual([0, rows.a, rows.b]);
    expect(await Array.fromAsync(store.outbox())).toEqual([A]);
    expect((await Array.fromAsync(store.erasures())).map(({ at }) => at)).toEqual([9]);
    expect(committer).toMatchObject({ busy: false, commits: 1, step: 6, watermark: 30 });
    expect(publisher.size).toBe(1);
    // Its entry in the unwritten goes with the next reads.
    unwritten.prune();
    expect(unwritten.size).toBe(0);
    await sink.acknowledge();
    await publisher.drained();
    await commit();
    expect([(await store.head())?.outbox, await Array.fromAsync(store.outbox())]).toEqual([0, []]);
  });

  test('publishes by the settings of the moment the commit was asked for', async () => {
    const { trainer, now, tuning, commit } = setUp();
    await commit();
    Object.assign(tuning, { epsilon: 0.01, maxAgeMs: 7_000 });
    now.ms = 2_000;
    await commit({ everything: true, holdMs: 70 });
    expect(trainer.asked).toEqual([
      { now: 1_000, everything: false, holdMs: 0, epsilon: 0.5, maxAgeMs: 9_000 },
      { now: 2_000, everything: true, holdMs: 70, epsilon: 0.01, maxAgeMs: 7_000 },
    ]);
  });

  test('measures the duration of a commit, and the moves and lengths of its vectors', async () => {
    const { rows, trainer, committer, now, measures, commit } = setUp();
    const checkpoint = Promise.withResolvers<ReturnType<typeof checkpointOf>>();
    trainer.checkpoints.push(checkpoint.promise);
    const committed = commit();
    expect([committer.writingSince, committer.writtenAt]).toEqual([1_000, undefined]);
    now.ms = 1_250;
    const vectors = { [rows.a]: [3, 4, 0, 0], [rows.b]: [0, 1, 0, 0] };
    checkpoint.resolve(checkpointOf({ vectors, publish: [rows.a, rows.b], moved: { [rows.a]: 0.5 } }));
    await committed;
    expect(measures.told).toEqual(['commit 250']);
    expect([committer.writingSince, committer.writtenAt]).toEqual([undefined, 1_250]);
    // Lengths of 5 and 1; b was never published before.
    expect(committer.moves.byType()).toEqual({ user: { mean: 0.5, p99: 0.5, norm: 3 } });
  });

  test('puts up a tombstone for an erased entity, and nothing for an entity erased since the commit was asked for', async () => {
    const { store, index, rows, unwritten, commit, trained } = setUp();
    const vectors = { [rows.a]: [1, 0, 0, 0], [rows.b]: [0, 0, 0, 0] };
    trained({ vectors, publish: [rows.a] });
    const pending = unwritten.open;
    pending.erasedEntities.set(rows.b, B);
    index.remove(B);
    const committed = commit();
    // The next commit will hold this erasure, and its tombstone.
    index.remove(A);
    expect(await committed).toBe(1);
    expect(await Array.fromAsync(store.outbox())).toEqual([B]);
    expect((await Array.fromAsync(store.rows())).map(({ row }) => row)).toEqual([rows.a]);
  });

  test('a commit is written only after its dead letters are acknowledged', async () => {
    const { store, sink, log, unwritten, commit } = setUp();
    unwritten.open.putDeadLetter(letter);
    const committed = commit();
    await sink.outOfReach();
    expect(await store.head()).toBeUndefined();
    await sink.acknowledge();
    await committed;
    expect(sink.acknowledged).toEqual([letter]);
    expect((await store.head())?.offsets).toEqual(OFFSETS);
    expect(log.lines.map(({ message }) => message)).toEqual([
      'dead letters could not be published; trying again',
    ]);
  });

  test('writes commits in the order asked for, one after the other', async () => {
    const { store, sink, unwritten, committer, ledger, commit } = setUp();
    unwritten.open.putDeadLetter(letter);
    ledger.advance('applied', 't', 0, 1);
    const first = commit();
    ledger.advance('applied', 't', 0, 2);
    const second = commit();
    await sink.next();
    await turn();
    expect([committer.commits, await store.head()]).toEqual([0, undefined]);
    await sink.acknowledge();
    await first;
    expect((await store.head())?.offsets).toEqual({ ...OFFSETS, t: { '0': 1 } });
    expect(ledger.next('committed', 't', 0)).toBe(1);
    expect(committer.busy).toBe(true);
    await second;
    expect((await store.head())?.offsets).toEqual({ ...OFFSETS, t: { '0': 2 } });
    expect(ledger.next('committed', 't', 0)).toBe(2);
  });

  test('a commit stopped while its dead letters wait fails, and the store stays as it was', async () => {
    const { store, sink, unwritten, committer, commit } = setUp();
    unwritten.open.putDeadLetter(letter);
    const committed = commit();
    committed.catch(() => undefined);
    await sink.outOfReach();
    await turn();
    committer.stop();
    await expect(committed).rejects.toMatchObject({ code: 'stopped' });
    expect(await store.head()).toBeUndefined();
  });

  test('after the write the start image is removed, the group is told, and only then vectors go out', async () => {
    const { store, rows, sink, order, commit, trained } = setUp();
    trained({ vectors: { [rows.a]: [1, 0, 0, 0] }, publish: [rows.a] });
    const publish = sink.publish.bind(sink);
    sink.publish = async (messages) => {
      order.push('vectors');
      await publish(messages);
    };
    expect(await store.head()).toBeUndefined();
    await commit();
    await sink.acknowledge();
    expect(order).toEqual(['image', 'group', 'vectors']);
  });

  test('after a failed commit no other is written', async () => {
    const { kept, store, rows, publisher, committer, commit, trained } = setUp();
    kept.dieAfter(0, false);
    trained({ vectors: { [rows.a]: [1, 0, 0, 0] }, publish: [rows.a] });
    const first = commit();
    const second = commit();
    await expect(first).rejects.toThrow('killed');
    kept.dieAfter(9, false);
    await expect(second).rejects.toThrow('killed');
    expect([await store.head(), publisher.size, committer.commits]).toEqual([undefined, 0, 0]);
  });
});
