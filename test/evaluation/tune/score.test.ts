import { expect, test } from 'vitest';
import { LIST_FIGURES } from '../../../src/evaluation/ranked-list.ts';
import { splitStream } from '../../../src/evaluation/stream/split.ts';
import { scoreOf, trialFigures } from '../../../src/evaluation/tune/score.ts';
import { streamOf } from '../stream/stream-fixture.ts';

const split = splitStream(
  streamOf('a likes 1', 'b likes 2', 'a retweets 2', 'b retweets 1', 'a likes 2', 'b likes 1'),
  4,
);

function lists(recalls: readonly number[]) {
  const figures = LIST_FIGURES.map((name) =>
    Float64Array.from(recalls, (value) => (name === 'recall20' ? value : 1)),
  );
  return { figures, coverage: 1 };
}

/** Edges with these events behind their ends, and the ranks that the vectors gave. */
function ranked(
  edges: readonly {
    lhsEvents: number;
    rhsEvents: number;
    repeated?: number;
    ranks: readonly [number, number];
  }[],
) {
  return {
    edge: Float64Array.from(edges, (_, i) => i),
    lhs: new Int32Array(edges.length),
    relation: new Uint8Array(edges.length),
    lhsEvents: Int32Array.from(edges, ({ lhsEvents }) => lhsEvents),
    rhsEvents: Int32Array.from(edges, ({ rhsEvents }) => rhsEvents),
    repeated: Uint8Array.from(edges, ({ repeated = 0 }) => repeated),
    ranks: Float32Array.from(edges.flatMap(({ ranks }) => [...ranks, 1, 1, 1, 1, 1, 1, 9, 9])),
  };
}

test('figures are of new edges between known entities, and of the lists of all relations of a pair', () => {
  const figures = trialFigures(
    new Map([
      ['user→tweet', lists([0.5, 0])],
      ['likes', lists([1, 1])],
    ]),
    ranked([
      { lhsEvents: 1, rhsEvents: 1, ranks: [2, 4] },
      { lhsEvents: 3, rhsEvents: 2, ranks: [1, 1] },
      { lhsEvents: 0, rhsEvents: 2, ranks: [1, 1] },
      { lhsEvents: 1, rhsEvents: 2, repeated: 1, ranks: [1, 1] },
    ]),
    split.scopes,
  );
  expect(figures).toEqual({ mrrUniform: 0.75, mrrDegree: 0.625, recall20: 0.25 });
});

test('a figure without a case is 0', () => {
  expect(trialFigures(new Map(), ranked([]), split.scopes)).toEqual({
    mrrUniform: 0,
    mrrDegree: 0,
    recall20: 0,
  });
});

test('the score weighs gains and losses in proportion, and a figure of 0 does not hide the others', () => {
  const score = (mrrUniform: number, mrrDegree: number, recall20: number) =>
    scoreOf({ mrrUniform, mrrDegree, recall20 });
  expect(score(0.4, 0.1, 0.2)).toBeCloseTo(0.2);
  expect(score(0.2, 0.2, 0.2)).toBeCloseTo(score(0.4, 0.1, 0.2));
  expect(score(0.4, 0.1, 0)).toBeGreaterThan(score(0.3, 0.1, 0));
});
