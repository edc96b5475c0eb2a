import { measureStream } from '../src/compose/evaluation.ts';
import { LIST_FIGURES } from '../src/evaluation/stream/lists.ts';
import { defineBench } from './harness.ts';
import { partsIn, readGraph } from './kg/triples.ts';
import { familyIn, measureGraph } from './kg.ts';
import { Stream } from './stream.ts';
import { openStream, streams } from './streams.ts';

/** Settings over the default ones. */
const POINTS: readonly string[] = [
  ...[1, 2, 4, 8].map((updates) => `training.updatesPerEdge=${updates}`),
  ...['training.uniformNegatives=64', 'training.uniformNegatives=448', 'model.dim=64', 'model.dim=256'],
];

const RATE = 'events/s of a core';
const MRR = 'MRR, knowledge graph told once';
const RECALL = 'recall@20, event stream';

/**
 * What quality costs: MRR on a knowledge graph told once (--graph: a folder with train.txt, valid.txt and test.txt, of which the
 * valid part is ranked) and recall@20 on an event stream, against the events that one core trains in a second: all threads'
 * processor time of `twhin run` on an embedded log, reading, training, committing and publishing, of the first --events.
 */
export const frontier = defineBench({
  name: 'frontier',
  what: 'quality against events a second of a core, for other updates, negatives and dimensions',
  docs: 'quality.md#what-it-costs',
  measures: ['src/kernels', 'src/model', 'src/sampling', 'src/pipeline'],
  sizes: {
    full: { higgs: '', events: 200_000, graph: '', only: '' },
    smoke: { higgs: '', events: 600, graph: '', only: 'updatesPerEdge=1' },
  },
  without: ['rounds'],
  columns: [RATE, MRR, RECALL],
  async measure(here) {
    const { graph, only, higgs } = here.size;
    const triples = await readGraph(graph === '' ? await familyIn(await here.folder()) : partsIn(graph));
    const topic = await Stream.start(here, here.size, { embedded: true });
    const { full } = streams.sizes;
    const told = higgs === '' ? here.size.events : full.events;
    await using stream = await openStream(here, { ...full, higgs, events: told });
    for (const setting of POINTS.filter((point) => point.includes(only))) {
      here.say(setting);
      const set = [...here.set, setting];
      const { usage } = await topic.updater(set);
      const training = {
        passes: 1,
        rank: 'valid',
        seed: 1,
        shards: 1,
        settings: set,
        folder: await here.folder(),
      } as const;
      const { figures } = await measureGraph(triples, training, here.say);
      const { lists } = await measureStream(
        stream.plan,
        await stream.variant(setting, [setting]),
        stream.outside,
      );
      const whole = lists.get(stream.plan.split.scopes[0]?.name ?? '');
      const recalls = [...(whole?.figures[LIST_FIGURES.indexOf('recall20')] ?? [])];
      here.record(setting, {
        [RATE]: topic.records / usage.cpu,
        [MRR]: figures.all.mrr,
        [RECALL]: recalls.reduce((sum, each) => sum + each, 0) / recalls.length,
      });
    }
  },
});
