import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { placeOf } from '../../../src/graph/committed-rows.ts';
import { EntityIndex } from '../../../src/graph/entity-index.ts';
import { MOST_POINTS } from '../../../src/pipeline/writing/track.ts';
import { MOST_TRACKS, Tracks } from '../../../src/pipeline/writing/tracks.ts';
import { restoreTracks, tracksToText } from '../../../src/pipeline/writing/tracks-text.ts';
import { FIRST_ROW, user } from '../../graph/graph-fixture.ts';
import { checkpointOf } from '../training/stand-in-trainer.ts';

const [A, B] = [user('a'), user('b')];

function setUp() {
  const index = new EntityIndex(FIRST_ROW);
  const rows = { a: index.add(A, 1), b: index.add(B, 1) };
  const tracks = new Tracks();
  /** A commit of space s, its steps 1,000 higher on the topic. vectors: a row's two numbers, accumulator and drift. */
  const commit = (at: number, parts: Parameters<typeof checkpointOf>[0], space = 's') =>
    tracks.add(checkpointOf({ step: at, ...parts }), index, { at: 10 * at, space, stepBase: 1_000, dim: 2 });
  return { index, rows, tracks, commit };
}

const point = (at: number, move: number | null, norm: number | null, cosine: number | null) => ({
  ...{ at: 10 * at, step: 1_000 + at, move, norm, cosine },
});

describe('Tracks', () => {
  test('note each publication that moves an entity that was looked up, and nothing of any other', () => {
    const { rows, tracks, commit } = setUp();
    const track = tracks.look(A, 5);
    expect([track.since, track.points()]).toEqual([5, []]);
    const both = [rows.a, rows.b];
    commit(1, {
      vectors: { [rows.a]: [3, 4, 9, 0], [rows.b]: [1, 1, 9, 0] },
      publish: both,
      moved: { [rows.a]: 0.5 },
    });
    // Written, and not put up for publishing.
    commit(2, { vectors: { [rows.a]: [3, 5, 9, 1] }, moved: { [rows.a]: 1 } });
    commit(3, {
      vectors: { 0: [1, 1, 1, 1], [rows.a]: [-8, 6, 9, 0] },
      publish: [rows.a],
      moved: { [rows.a]: 12.25 },
    });
    commit(4, { vectors: { [rows.b]: [1, 2, 9, 0] }, publish: [rows.b] });
    // (3·−8 + 4·6) / (5·10) = 0.
    expect(track.points()).toEqual([point(1, 0.5, 5, 1), point(3, 12.25, 10, 0)]);
    // A look into the commit's own memory would hold all of that.
    expect(track.state.first?.buffer.byteLength).toBe(8);
    expect(tracks.again(B)).toBeUndefined();
    expect([...tracks.entries()].map(([key]) => key)).toEqual([A]);
  });

  test('are bounded: who was not looked up for longest makes room, and of each the newest points stay', () => {
    const { rows, tracks, commit } = setUp();
    tracks.look(A, 0);
    tracks.look(B, 0);
    for (let i = 0; i < MOST_TRACKS - 2; i++) tracks.look(user(`other${i}`), 0);
    expect(tracks.again(A)?.since).toBe(0);
    expect(tracks.look(user('one more'), 7).since).toBe(7);
    expect([...tracks.entries()]).toHaveLength(MOST_TRACKS);
    expect([tracks.again(B), tracks.again(A)?.since]).toEqual([undefined, 0]);
    for (let at = 0; at < MOST_POINTS + 3; at++) {
      commit(at, { vectors: { [rows.a]: [1, 0, 0, 0] }, publish: [rows.a], moved: { [rows.a]: at } });
    }
    const points = tracks.again(A)?.points() ?? [];
    expect([points.length, points[0]]).toEqual([MOST_POINTS, point(3, 3, 1, 1)]);
    // Looked up, and no entity of the graph.
    expect([...tracks.entries()].map(([key]) => key)).toEqual([A]);
  });

  test('an entity that is erased drops out; one whose vector begins again starts anew', () => {
    const { index, rows, tracks, commit } = setUp();
    tracks.look(A, 0);
    tracks.look(B, 0);
    const vectors = { [rows.a]: [1, 0, 0, 0], [rows.b]: [0, 2, 0, 0] };
    commit(1, { vectors, publish: [rows.a, rows.b], moved: { [rows.a]: 1, [rows.b]: 1 } });
    index.remove(A);
    // Erased too, but named by newer events: its row stays, and it was never published.
    commit(2, { vectors: { [rows.b]: [-3, 0, 0, 0] }, publish: [rows.b] });
    expect(tracks.again(A)).toBeUndefined();
    expect([tracks.again(B)?.since, tracks.again(B)?.points()]).toEqual([20, [point(2, null, 3, 1)]]);
    const row = index.add(A, 9);
    tracks.look(A, 25);
    commit(3, { vectors: { [row]: [0, 1, 0, 0] }, publish: [row] });
    expect(tracks.again(A)?.points()).toEqual([point(3, null, 1, 1)]);
  });

  test('another training is a break: nothing of it is compared with the one before', () => {
    const { rows, tracks, commit } = setUp();
    const track = tracks.look(A, 0);
    tracks.look(B, 0);
    const moved = { [rows.a]: 2 };
    commit(1, { vectors: { [rows.a]: [1, 0, 0, 0] }, publish: [rows.a], moved });
    commit(2, {}, 'other');
    commit(3, { vectors: { [rows.a]: [0, 1, 0, 0] }, publish: [rows.a], moved }, 'other');
    commit(4, { vectors: { [rows.a]: [0, -1, 0, 0] }, publish: [rows.a], moved }, 'other');
    expect(track.points()).toEqual([
      point(1, 2, 1, 1),
      point(2, null, null, null),
      point(3, null, 1, 1),
      point(4, 2, 1, -1),
    ]);
    // Of which there was nothing before there is nothing to break.
    expect(tracks.again(B)?.points()).toEqual([]);
  });

  test('come back from their text as they were, the one looked up last still last, and go on', () => {
    const { rows, index, tracks, commit } = setUp();
    tracks.look(B, 3);
    tracks.look(user('ü:"<'), 4);
    index.add(user('ü:"<'), 1);
    tracks.look(A, 5);
    const third = 1 / 3;
    commit(1, { vectors: { [rows.a]: [0.1, third, 0, 0] }, publish: [rows.a], moved: { [rows.a]: third } });
    const turned = { [rows.a]: [third, 0.1, 0, 0] };
    commit(2, { vectors: turned, publish: [rows.a], moved: { [rows.a]: 1 } }, 'other');
    const before = tracks.again(A)?.points();
    const after = new Tracks();
    restoreTracks(after, tracksToText(tracks));
    expect([...after.entries()].map(([key, { since }]) => [key, since])).toEqual([
      [B, 3],
      [user('ü:"<'), 4],
      [A, 5],
    ]);
    expect(after.again(A)?.points()).toEqual(before);
    const next = checkpointOf({
      step: 3,
      vectors: { [rows.a]: [2, 0.6, 0, 0] },
      publish: [rows.a],
      moved: { [rows.a]: 2 },
    });
    for (const each of [tracks, after])
      each.add(next, index, { at: 30, space: 'other', stepBase: 1_000, dim: 2 });
    expect(after.again(A)?.points()).toEqual(tracks.again(A)?.points());
    // The same way as the vector before, of which it is told after the restart too.
    expect(after.again(A)?.points().at(-1)?.cosine).toBeCloseTo(1, 6);
  });

  test('a text that is none is refused, whole', () => {
    const tracks = new Tracks();
    const entry = { entity: 'user:a', since: 1, points: '' };
    for (const wrong of [
      '{',
      '{"format":2,"tracks":[]}',
      JSON.stringify({ format: 1, tracks: [entry, { ...entry, entity: 'nobody' }] }),
      JSON.stringify({ format: 1, tracks: [entry, { ...entry, points: 'AAAA' }] }),
    ]) {
      expect(() => restoreTracks(tracks, wrong)).toThrow();
      expect([...tracks.entries()]).toEqual([]);
    }
    const many = Array.from({ length: MOST_TRACKS + 2 }, (_, i) => ({ ...entry, entity: `user:${i}` }));
    restoreTracks(tracks, JSON.stringify({ format: 1, tracks: many }));
    expect([[...tracks.entries()].length, tracks.again(user('1')), tracks.again(user('2'))?.since]).toEqual([
      MOST_TRACKS,
      undefined,
      1,
    ]);
  });

  test('know whether there is something to write down', () => {
    const { rows, index, tracks, commit } = setUp();
    const told = (work: () => void) => {
      tracks.changed = false;
      work();
      return tracks.changed;
    };
    const vectors = { [rows.a]: [1, 0, 0, 0] };
    expect([
      told(() => tracks.look(A, 1)),
      told(() => tracks.look(A, 2)),
      told(() => commit(1, { vectors, publish: [rows.a] })),
      told(() => commit(2, { vectors })),
      told(() => commit(3, {}, 'other')),
    ]).toEqual([true, false, true, false, true]);
    index.remove(A);
    expect(told(() => commit(4, {}))).toBe(true);
  });
});

test('a row is found where a look at each would find it', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(60)), fc.nat(60), (some, row) => {
      const rows = Int32Array.from(some).sort();
      expect(placeOf(rows, row)).toBe(rows.indexOf(row));
    }),
  );
});
