import { defineBench } from './harness.ts';
import { OURS, Stream, WAY } from './stream.ts';

/** One setting of the default changed at a time; --dial measures what each costs and gives. */
const DIAL: readonly (readonly string[])[] = [
  [],
  ['training.updatesPerEdge=1'],
  ['training.updatesPerEdge=2'],
  ['training.updatesPerEdge=8'],
  ['training.inBatchNegatives=false', 'training.uniformNegatives=256'],
  ['training.correctNegatives=false'],
  ['training.uniformNegatives=64'],
  ['training.uniformNegatives=448'],
  ['commit.everyMs=2000'],
  ['publish.epsilon=0.2'],
  ['model.dim=64'],
  ['preset=twhin', 'training.updatesPerEdge=1'],
];
/** More than an updater ranks, so that the figures are less a matter of chance. */
const RANKED = 'training.evaluatedEdges=64';

/**
 * The whole way, from a topic to a topic of vectors. A run ends with the publication of every vector that moved at all since it was
 * published. With --replay, a replay takes its turn too.
 */
export const e2e = defineBench({
  name: 'e2e',
  what: 'events a second and their cost, from a topic to published vectors',
  docs: 'performance.md#the-whole-way',
  measures: [
    'src/kernels',
    'src/pipeline',
    'src/sampling',
    'src/graph',
    'src/adapters',
    'src/compose',
    'topics',
  ],
  sizes: {
    full: { higgs: '', events: 563_069, embedded: false, replay: false, dial: false },
    smoke: { higgs: '', events: 3_000, embedded: true, replay: true, dial: false },
  },
  columns: [...Object.values(WAY), ...Object.values(OURS)],
  async measure(here) {
    const { embedded, replay, dial } = here.size;
    const stream = await Stream.start(here, here.size, { embedded });
    const updater = (settings: readonly string[]) => () => stream.updater([...here.set, ...settings, RANKED]);
    const dialled = DIAL.map((settings) => [settings.join(', ') || 'twhin run', updater(settings)] as const);
    await here.turns({
      ...Object.fromEntries(dial ? dialled : dialled.slice(0, 1)),
      ...(replay && { 'twhin replay': () => stream.replay(here.set) }),
    });
  },
});
