import { expect, test } from 'vitest';
import { writesDeadLetter } from '../../src/compose/live.ts';
import { configOf } from '../../src/config/load.ts';

const PARTITIONS = [0, 1, 2, 3, 4, 5, 6, 7];

test('each graph writes its dead letters itself, and of its shards one writes those of a partition', () => {
  const { graphs } = configOf({ graphs: { engagement: { shards: 3 }, follow: {} } }, {}, '/srv');
  const partitionsOf = graphs.map((graph) => [
    graph.name,
    PARTITIONS.filter((partition) => writesDeadLetter(graph, partition)),
  ]);
  expect(Object.fromEntries(partitionsOf)).toEqual({
    'engagement-0': [0, 3, 6],
    'engagement-1': [1, 4, 7],
    'engagement-2': [2, 5],
    follow: PARTITIONS,
  });
});
