import { expect, test } from 'vitest';
import { writesDeadLetter } from '../../src/compose/live.ts';
import { configOf } from '../../src/config/load.ts';

const sharded = (shards: number) => configOf({ graphs: { engagement: { shards } } }, {}, '/srv');

test('each dead letter has one writer: the first graph of its topic, and one of its shards', () => {
  for (const shards of [1, 3]) {
    const config = sharded(shards);
    for (const topic of ['engagement', 'ad-click', 'follow']) {
      for (let partition = 0; partition < 8; partition++) {
        const writers = config.graphs.filter((graph) =>
          writesDeadLetter(config, graph, topic, { partition }),
        );
        const first =
          topic === 'follow' ? 'follow' : shards === 1 ? 'engagement' : `engagement-${partition % 3}`;
        expect(writers.map(({ name }) => name)).toEqual([first]);
      }
    }
  }
});
