import { describe, expect, it } from 'vitest';
import { entityKey } from '../../src/graph/entity.ts';
import { norm } from '../../src/graph/nearest.ts';
import { Tracks } from '../../src/pipeline/writing/tracks.ts';
import { MemoryStore } from '../graph/memory-store.ts';
import { MemoryLog } from './memory-log.ts';
import { DIM, EMBEDDINGS, updater } from './updater-fixture.ts';

const A = entityKey('user', 'u1');

function follows(log: MemoryLog, from: number, count: number): void {
  for (let i = from; i < from + count; i++) {
    const event = {
      followerId: `u${i % 7}`,
      followedId: `v${i}`,
      action: 'follow',
      at: 1_000 + i,
    };
    log.append('twhin.follow', event);
  }
}

/** What was published of an entity by the step of its header: vectors, newest last. */
function published(log: MemoryLog, from: number): Map<number, Float32Array> {
  const found = new Map<number, Float32Array>();
  for (const { key, topic, value, headers } of log.published.slice(from)) {
    if (topic !== EMBEDDINGS || key !== A || value === null) continue;
    found.set(Number(headers['step']), new Float32Array(Uint8Array.from(Buffer.from(value)).buffer));
  }
  return found;
}

describe('an updater with tracks', () => {
  it('notes what it publishes of an entity that is followed, as it publishes it, from one process to the next', async () => {
    const [log, store, tracks] = [new MemoryLog(), new MemoryStore(), new Tracks()];
    follows(log, 0, 60);
    await updater(log, store, { tracks }).run({ untilCaughtUp: true });
    const track = tracks.look(A, 1);
    const before = log.published.length;
    for (const more of [60, 160, 260, 360]) {
      follows(log, more, 100);
      await updater(log, store, { tracks }).run({ untilCaughtUp: true });
    }
    const topic = published(log, before);
    const points = track.points();
    expect(points.length).toBeGreaterThan(3);
    // One that moved again before it was sent went out once, as the newer one.
    expect([...topic.keys()].filter((step) => !points.some((each) => each.step === step))).toEqual([]);
    let last: Float32Array | undefined;
    for (const { step, move, norm: length } of points) {
      const vector = topic.get(step);
      if (vector === undefined) continue;
      expect(length).toBeCloseTo(norm(vector, DIM), 6);
      const apart = last?.map((value, k) => value - (vector[k] ?? 0));
      // A path is no shorter than the way from one end to the other.
      if (apart) expect(move).toBeGreaterThan(norm(apart, DIM) - 1e-5);
      last = vector;
    }
    expect([...topic.keys()].length).toBeGreaterThan(3);
  });

  it('forgets one that is erased, and begins again with one that newer events keep', async () => {
    const [log, store, tracks] = [new MemoryLog(), new MemoryStore(), new Tracks()];
    follows(log, 0, 60);
    await updater(log, store, { tracks }).run({ untilCaughtUp: true });
    const other = entityKey('user', 'u2');
    tracks.look(A, 1);
    tracks.look(other, 1);
    follows(log, 60, 60);
    await updater(log, store, { tracks }).run({ untilCaughtUp: true });
    log.append('twhin.erasure', { entity: A, at: 5_000 });
    log.append('twhin.erasure', { entity: other, at: 1_100 });
    await updater(log, store, { tracks }).run({ untilCaughtUp: true });
    expect(tracks.again(A)).toBeUndefined();
    expect(tracks.again(other)?.points()).toMatchObject([{ move: null, cosine: expect.closeTo(1, 9) }]);
  });
});
