import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { EntityIndex } from '../../../src/graph/entity-index.ts';
import { GraphStore } from '../../../src/graph/graph-store.ts';
import type { Head } from '../../../src/graph/head.ts';
import { Layout } from '../../../src/graph/layout.ts';
import { Counters } from '../../../src/pipeline/counters.ts';
import { noNeighbours } from '../../../src/pipeline/neighbours.ts';
import { OffsetLedger } from '../../../src/pipeline/reading/offset-ledger.ts';
import { Unwritten } from '../../../src/pipeline/reading/unwritten.ts';
import { soleLeadership } from '../../../src/pipeline/sole-leadership.ts';
import { decodeJournal, packBatch } from '../../../src/pipeline/training/batch-codec.ts';
import type { Due, Trainer } from '../../../src/pipeline/training/trainer.ts';
import { Checkpointer } from '../../../src/pipeline/writing/checkpointer.ts';
import { Committer } from '../../../src/pipeline/writing/committer.ts';
import { Publisher } from '../../../src/pipeline/writing/publish.ts';
import { Writer } from '../../../src/pipeline/writing/writer.ts';
import { blockOf, edgesIn, HEAD, MODEL, user } from '../../graph/graph-fixture.ts';
import { DyingStore } from '../dying-store.ts';
import { FaultySink, keptLog } from '../faulty-sink.ts';
import { keptMeasures } from '../kept-measures.ts';
import { dueOf, StandInTrainer } from '../training/stand-in-trainer.ts';
import { batchOf } from '../training/trainer-fixture.ts';
import { turns } from '../updater-fixture.ts';

const A = user('a');
const B = user('b');
const DUE = { everything: false, holdMs: 0 };
const POSITIONS = { 'twhin.follow': { '0': { offset: 3, epoch: 2 } } };
/** Trainer's work after which a checkpoint is due. */
const RECOVER_MS = 1_000;

interface Given {
  readonly last?: Head;
  readonly trainer?: Trainer;
  readonly isTrained?: boolean;
}

/** On a fresh store, where no head is given. Users a and b are on rows 4 and 5. trainer: in place of a stand-in. */
function setUp({ last, trainer: other, isTrained = true }: Given = {}) {
  const kept = new DyingStore();
  const store = new GraphStore(kept, new Layout(MODEL));
  const index = new EntityIndex(4);
  const rows = { a: index.add(A, 10), b: index.add(B, 20) };
  const [standIn, sink, log] = [new StandInTrainer(), new FaultySink(), keptLog()];
  const trainer = other ?? standIn;
  standIn.blocks = [blockOf(store.layout, { 5: [1, 1, 1, 0] })];
  const [counters, unwritten] = [new Counters(last), new Unwritten()];
  const now = { ms: 1_000 };
  const ledger = new OffsetLedger(POSITIONS);
  /** What was told of a commit, in order. */
  const order: string[] = [];
  const clock = () => now.ms;
  const measures = keptMeasures();
  const writer = new Writer(last, { role: 'leader' }, 'space');
  const tuning = { epsilon: 0.5, maxAgeMs: 9_000 };
  const training = { busyMs: 0 };
  const publisher = new Publisher({
    ...{ writer, sink, topic: 'vectors', log, clock, measures },
    failed: () => undefined,
    header: { graph: 'test', dim: 2, dtype: 'float32', fingerprint: 'f' },
    watermark: () => committer.watermark,
  });
  const pace = { recoverMs: RECOVER_MS };
  const checkpointer = new Checkpointer({ graph: 'test', store, trainer, tuning: pace, log, clock }, last);
  const committer: Committer = new Committer(
    {
      ...{ graph: 'test', model: MODEL, store, trainer, index, counters, unwritten, publisher, checkpointer },
      ...{ training, sink, log, measures, clock, writer, tuning, ledger, neighbours: noNeighbours() },
      isTrained: () => isTrained,
      leadership: { ...soleLeadership, commit: async () => void order.push('group') },
    },
    last,
  );
  publisher.begin();
  const commit = (asked = DUE) => committer.commit(unwritten.close(), asked);
  /** What is due by the next commit. */
  const due = (parts: Parameters<typeof dueOf>[0]) => void standIn.dues.push(Promise.resolve(dueOf(parts)));
  /** The journal by commit. */
  const journal = async () => {
    const entries = await Array.fromAsync(store.journal());
    return new Map(entries.map(({ commit: number, bytes }) => [number, decodeJournal(bytes)]));
  };
  return {
    ...{ kept, store, index, rows, trainer: standIn, sink, log, counters, unwritten, publisher, committer },
    ...{ checkpointer, training, now, measures, tuning, ledger, order, commit, due, journal },
  };
}

const edge = { lhs: A, relation: 'follows', rhs: B, at: 30, removed: false };
const letter = { topic: 'dead-letter', key: 'k', value: Buffer.from('bad'), headers: {} };
const sent = (sink: FaultySink) =>
  sink.acknowledged.map(({ key, value }) => [
    `${key}`,
    value && [...new Float32Array(Uint8Array.from(value).buffer)],
  ]);

describe('Committer', () => {
  test('writes everything as of the moment the commit was asked for; vectors go out once it is trained and that is written', async () => {
    const all = setUp();
    const { store, index, rows, trainer, sink, counters, unwritten, publisher, committer, commit, journal } =
      all;
    const pending = unwritten.open;
    pending.edges.set(store.layout.edgeId(edge), edge);
    pending.touched.add(rows.a).add(rows.b);
    pending.erasures.set(user('gone'), 9);
    const batch = batchOf({ newTypes: [0, 0], edges: [[rows.a, 0, rows.b]] });
    pending.batches.push(packBatch(batch));
    counters.events.consumed = 3;
    counters.edgeChanged('follows', false, true);
    counters.watermark = 30;
    const answer = Promise.withResolvers<Due>();
    trainer.dues.push(answer.promise);
    const committed = commit();
    expect(committer.busy).toBe(true);
    // What comes after it was asked for is not in it.
    counters.events.consumed = 4;
    counters.edgeChanged('follows', false, true);
    counters.watermark = 99;
    index.saw(rows.a, 99, false);
    index.add(user('later'), 99);
    const head = {
      ...HEAD,
      ...{ rows: 6, positions: POSITIONS, checkpoint: 0, watermark: 30, space: 'space' },
      events: { consumed: 3, rejected: 0, duplicate: 0, late: 0 },
      ...{ written: {}, refused: {} },
    };
    await expect.poll(() => committer.busy).toBe(false);
    const untrained = {
      commit: 1,
      trained: 0,
      step: 0,
      random: [],
      relations: 0,
      outbox: 2,
      acknowledged: 0,
    };
    expect(await store.head()).toEqual({ ...head, ...untrained });
    expect(publisher.outbox.size).toBe(0);
    expect(committer.writing).toMatchObject({ asked: 1_000, waits: 'the training' });
    const relations = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    answer.resolve(dueOf({ step: 6, vectors: { [rows.a]: [1, 0] }, relations }));
    expect(await committed).toBe(1);
    const sum = crc32(new Uint8Array(Float32Array.from(relations).buffer));
    const trained = {
      commit: 2,
      trained: 1,
      step: 6,
      random: [5, 6],
      relations: sum,
      outbox: 1,
      acknowledged: 1,
    };
    expect(await store.head()).toEqual({ ...head, ...trained });
    expect(await store.entity(A)).toMatchObject({ firstSeen: 10, lastSeen: 10 });
    expect(await edgesIn(store)).toEqual([edge]);
    expect((await Array.fromAsync(store.erasures())).map(({ at }) => at)).toEqual([9]);
    const entry = { batches: [batch], due: [], published: new Int32Array(0), of: 0 };
    const answered = { batches: [], due: [], published: Int32Array.of(rows.a), of: 1 };
    expect([...(await journal())]).toEqual([
      [1, entry],
      [2, answered],
    ]);
    expect(committer).toMatchObject({ busy: false, commits: 1, step: 6, watermark: 30 });
    expect(publisher.outbox.size).toBe(1);
    // Its entry in the unwritten goes with the next reads.
    unwritten.prune();
    expect(unwritten.get(store.layout.edgeId(edge))).toBeUndefined();
    await sink.acknowledge();
    await publisher.drained();
    expect(sent(sink)).toEqual([[A, [1, 0]]]);
  });

  test('publishes by the settings of the moment the commit was asked for', async () => {
    const { trainer, now, tuning, commit } = setUp();
    await commit();
    Object.assign(tuning, { epsilon: 0.01, maxAgeMs: 7_000 });
    now.ms = 2_000;
    await commit({ everything: true, holdMs: 70 });
    const named = new Int32Array(0);
    expect(trainer.asked).toEqual([
      { now: 1_000, everything: false, holdMs: 0, epsilon: 0.5, maxAgeMs: 9_000, named },
      { now: 2_000, everything: true, holdMs: 70, epsilon: 0.01, maxAgeMs: 7_000, named },
    ]);
  });

  test('measures the duration of a commit, and the moves and lengths of its vectors', async () => {
    const { rows, trainer, committer, now, measures, commit } = setUp();
    const answer = Promise.withResolvers<Due>();
    trainer.dues.push(answer.promise);
    const committed = commit();
    expect([committer.writing?.asked, committer.writtenAt]).toEqual([1_000, undefined]);
    now.ms = 1_250;
    await expect.poll(() => committer.busy).toBe(false);
    now.ms = 1_700;
    const vectors = { [rows.a]: [3, 4], [rows.b]: [0, 1] };
    answer.resolve(dueOf({ vectors, moved: { [rows.a]: 0.5 }, held: 7 }));
    await committed;
    expect(measures.told).toEqual(['commit 250']);
    expect([committer.writing, committer.writtenAt, committer.held]).toEqual([undefined, 1_250, 7]);
    // Lengths of 5 and 1; b was never published before.
    expect(committer.moves.byType()).toEqual({ user: { mean: 0.5, p99: 0.5, norm: 3 } });
  });

  test('puts up a tombstone for an erased entity, and nothing for an entity erased since the commit was asked for', async () => {
    const { index, rows, sink, unwritten, publisher, commit, due, journal } = setUp();
    for (const row of [rows.a, rows.b]) due({ vectors: { [row]: [1, 0] } });
    // One is being sent, and the other waits.
    for (let n = 0; n < 2; n++) await commit();
    due({ vectors: { [rows.a]: [2, 0] } });
    const pending = unwritten.open;
    pending.records = pending.erasedEntities.add(B).size;
    index.remove(B);
    const committed = commit();
    // The next commit will hold this erasure, and its tombstone.
    index.remove(A);
    expect(await committed).toBe(2);
    // What is killed now finds the tombstone in the journal.
    expect((await journal()).get(5)?.due).toEqual([B]);
    for (let n = 0; n < 2; n++) await sink.acknowledge();
    await publisher.drained();
    expect([publisher.outbox.size, publisher.outbox.spent.length, ...sent(sink)]).toEqual([
      0,
      3,
      [A, [1, 0]],
      [B, null],
    ]);
  });

  test("an erased entity's vector goes out under no other name, though its row is another's before the trainer answers", async () => {
    const { index, rows, trainer, sink, unwritten, publisher, commit } = setUp();
    const answer = Promise.withResolvers<Due>();
    trainer.dues.push(answer.promise);
    const commits = [commit()];
    unwritten.open.erasedEntities.add(A);
    index.remove(A);
    for (let cut = 0; cut < 2; cut++) {
      unwritten.open.records = 1;
      commits.push(commit());
    }
    expect(index.add(user('new'), 40)).toBe(rows.a);
    answer.resolve(dueOf({ vectors: { [rows.a]: [1, 0], [rows.b]: [2, 0] } }));
    await Promise.all(commits);
    for (const key of [B, A]) {
      expect(await sink.next()).toEqual([key]);
      await sink.acknowledge();
    }
    await publisher.drained();
    expect(sent(sink)).toEqual([
      [B, [2, 0]],
      [A, null],
    ]);
  });

  test('puts up entities that are named whether or not they moved, with the name of the moment, each once', async () => {
    const { index, rows, trainer, sink, unwritten, publisher, commit, due, journal } = setUp();
    const gone = user('gone');
    unwritten.open.due = [A, gone, A];
    // Erased, and named again since.
    unwritten.open.erasedEntities.add(B);
    index.remove(B);
    const again = index.add(B, 30);
    due({ vectors: { [rows.a]: [1, 0], [again]: [2, 0] } });
    const committed = commit();
    index.remove(A);
    expect(await committed).toBe(3);
    expect([...trainer.asked[0]!.named]).toEqual([rows.a, again]);
    expect((await journal()).get(1)).toMatchObject({ due: [A, gone, B] });
    expect((await journal()).get(2)).toMatchObject({ published: Int32Array.of(rows.a, again) });
    await sink.acknowledge();
    await publisher.drained();
    expect(sent(sink)).toEqual([
      [A, [1, 0]],
      [B, [2, 0]],
      [gone, null],
    ]);
  });

  test('writes commits in the order asked for, one after the other, and publishes in this order what they made due', async () => {
    const { store, rows, trainer, sink, unwritten, publisher, committer, ledger, order, commit } = setUp();
    const answers = [Promise.withResolvers<Due>(), Promise.withResolvers<Due>()] as const;
    trainer.dues.push(...answers.map(({ promise }) => promise));
    unwritten.open.putDeadLetter(letter);
    ledger.advance('applied', 't', 0, 1);
    const first = commit();
    ledger.advance('applied', 't', 0, 2);
    const second = commit();
    await sink.next();
    await turns(1);
    expect([committer.commits, await store.head()]).toEqual([0, undefined]);
    expect(committer.writing).toMatchObject({ waits: 'dead letters' });
    await sink.acknowledge();
    await expect.poll(() => committer.commits).toBe(2);
    const state = async () => {
      const { positions, step, trained } = (await store.head())!;
      const at = ledger.position('committed', 't', 0)?.offset;
      return [positions['t']?.['0']?.offset, step, trained, at, order.length];
    };
    expect(await state()).toEqual([2, 0, 0, 2, 0]);
    answers[1].resolve(dueOf({ step: 9, vectors: { [rows.a]: [2, 0] } }));
    await turns(5);
    expect([await state(), publisher.outbox.size]).toEqual([[2, 0, 0, 2, 0], 0]);
    answers[0].resolve(dueOf({ step: 8, vectors: { [rows.a]: [1, 0] } }));
    expect(await first).toBe(1);
    expect(await second).toBe(1);
    // Of an entity that both made due, the newer.
    expect(await state()).toEqual([2, 9, 2, 2, 2]);
    await sink.acknowledge();
    await sink.acknowledge();
    const vectors = sink.acknowledged.filter(({ topic }) => topic === 'vectors');
    const stepsOf = vectors.map(({ headers }) => Number(headers['step']));
    expect([stepsOf.toSorted(), stepsOf.at(-1)]).toEqual([stepsOf, 9]);
  });

  test('while the journal is trained, the group hears of what is written, and what was not acknowledged still is not', async () => {
    const last = { ...HEAD, commit: 8, checkpoint: 3, trained: 7, acknowledged: 5 };
    const { store, rows, trainer, sink, committer, order, commit } = setUp({ last, isTrained: false });
    const answer = Promise.withResolvers<Due>();
    trainer.dues.push(answer.promise);
    const committed = commit();
    await expect.poll(() => committer.busy).toBe(false);
    const seen = async () => [
      (await store.head())?.trained,
      (await store.head())?.acknowledged,
      order.length,
    ];
    expect(await seen()).toEqual([7, 5, 1]);
    answer.resolve(dueOf({ step: 9, vectors: { [rows.a]: [1, 0] } }));
    await committed;
    // All that was due before is due by this one.
    expect(await seen()).toEqual([9, 9, 2]);
    await sink.acknowledge();
  });

  test('after a failed commit no other is written', async () => {
    const { kept, store, rows, publisher, committer, commit, due } = setUp();
    kept.dieAfter(0, false);
    due({ vectors: { [rows.a]: [1, 0] } });
    const first = commit();
    const second = commit();
    await expect(first).rejects.toThrow('killed');
    kept.dieAfter(9, false);
    await expect(second).rejects.toThrow('killed');
    expect([await store.head(), publisher.outbox.size, committer.commits]).toEqual([undefined, 0, 0]);
  });

  test('a head that counts vectors that wait is outdated once none does, and the next corrects it', async () => {
    const { store, rows, trainer, sink, unwritten, publisher, committer, commit, due } = setUp();
    const outbox = async () => (await store.head())?.outbox;
    expect(committer.isOutdated).toBe(false);
    due({ vectors: { [rows.a]: [1, 0], [rows.b]: [1, 0] } });
    await commit();
    expect([await outbox(), committer.isOutdated]).toEqual([2, false]);
    // One of the two again, which is counted once.
    due({ vectors: { [rows.a]: [2, 0] } });
    await commit();
    expect([await outbox(), committer.isOutdated]).toEqual([2, false]);
    await sink.acknowledge();
    await turns(1);
    expect([publisher.outbox.size, committer.isOutdated]).toEqual([1, false]);
    await sink.acknowledge();
    await publisher.drained();
    expect(committer.isOutdated).toBe(true);
    await commit();
    expect([await outbox(), committer.isOutdated]).toEqual([0, false]);
    // Until the trainer has answered, what events named counts; then nothing of it is due.
    unwritten.open.touched.add(rows.a);
    const answer = Promise.withResolvers<Due>();
    trainer.dues.push(answer.promise);
    const committed = commit();
    await expect.poll(outbox).toBe(1);
    expect(committer.isOutdated).toBe(false);
    answer.resolve(dueOf({}));
    await committed;
    expect([await outbox(), committer.isOutdated]).toEqual([1, true]);
    await commit();
    expect([await outbox(), committer.isOutdated]).toEqual([0, false]);
    // One that waits already, and is named again: it is counted once.
    due({ vectors: { [rows.a]: [3, 0] } });
    await commit();
    unwritten.open.touched.add(rows.a);
    trainer.dues.push(Promise.resolve(dueOf({})));
    await commit();
    expect(await outbox()).toBe(1);
  });

  test('a snapshot begins with the answer of what is due, and is written under its own commit', async () => {
    const { kept, store, trainer, sink, unwritten, training, checkpointer, commit, due } = setUp();
    const calls: string[] = [];
    const [ask, snapshot] = [trainer.due.bind(trainer), trainer.snapshot.bind(trainer)];
    trainer.due = (options) => {
      calls.push('due');
      return ask(options);
    };
    trainer.snapshot = () => {
      calls.push('snapshot');
      return snapshot();
    };
    // A commit before waits for its dead letters meanwhile.
    unwritten.open.putDeadLetter(letter);
    const first = commit();
    training.busyMs = RECOVER_MS;
    due({ step: 9, random: [7, 7] });
    const second = commit();
    due({ step: 10 });
    const third = commit();
    expect(calls).toEqual(['due', 'due', 'snapshot', 'due']);
    await sink.acknowledge();
    await Promise.all([first, second, third]);
    await checkpointer.settled();
    const [written = 0, ...others] = kept.checkpoints.written.keys();
    expect(others).toEqual([]);
    await using checkpoint = await store.checkpoints.open(written);
    expect(checkpoint.head).toMatchObject({ commit: written, step: 9, random: [7, 7] });
  });

  test('a checkpoint is named once all that was due by its commit is acknowledged, and the journal begins after it', async () => {
    const { store, rows, sink, training, committer, checkpointer, commit, due, journal } = setUp();
    const seen = async () => [
      (await store.head())?.checkpoint,
      (await store.head())?.acknowledged,
      [...(await journal()).keys()],
      committer.isOutdated,
    ];
    // Each commit is followed by that of its answer.
    await commit();
    training.busyMs = RECOVER_MS;
    due({ vectors: { [rows.a]: [1, 0] } });
    await commit();
    await checkpointer.settled();
    // The vector of commit 3 waits.
    expect(await seen()).toEqual([0, 3, [1, 2, 3, 4], false]);
    due({ vectors: { [rows.b]: [1, 0] } });
    await commit();
    expect(await seen()).toEqual([0, 3, [1, 2, 3, 4, 5, 6], false]);
    await sink.acknowledge();
    await turns(1);
    // Now that of commit 5, which the checkpoint does not have.
    expect(await sink.next()).toEqual([B]);
    expect(await seen()).toEqual([0, 3, [1, 2, 3, 4, 5, 6], true]);
    await commit();
    expect(await seen()).toEqual([3, 5, [4, 5, 6, 7], false]);
    expect([checkpointer.named, checkpointer.isDue(2 * RECOVER_MS, 6)]).toEqual([3, true]);
    await using checkpoint = await store.checkpoint();
    expect(checkpoint?.head.commit).toBe(3);
    await sink.acknowledge();
  });
});
