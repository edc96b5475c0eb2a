import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { defineBench, type Figures } from './harness.ts';
import { Stream, WAY } from './stream.ts';

const NEEDED = 'import confluent_kafka, orjson, rocksdict, torch';

/** The whole way beside the Python pipeline of bench/peers, on the same topic. */
export const peer = defineBench({
  name: 'peer',
  what: 'events a second and their cost beside a pipeline in Python, which has no masks, dead letters, duplicates, late events, atomic commits, fencing or evaluation',
  docs: 'performance.md#beside-a-script',
  measures: [
    'bench/peers',
    'src/kernels',
    'src/pipeline',
    'src/sampling',
    'src/graph',
    'src/adapters',
    'src/compose',
  ],
  sizes: {
    full: { higgs: '', events: 563_069, python: 'python3' },
    smoke: { higgs: '', events: 3_000, python: 'python3' },
  },
  columns: Object.values(WAY),
  async measure(here) {
    const { python } = here.size;
    const stream = await Stream.start(here, here.size);
    const installed = spawnSync(python, ['-c', NEEDED]).status === 0;
    if (!installed)
      here.say(`left out: ${python} lacks a module of ${join('bench', 'peers', 'requirements.txt')}`);
    const ways: Record<string, () => Promise<Figures>> = {};
    for (const updates of [4, 1]) {
      const settings = [...here.set, `training.updatesPerEdge=${updates}`];
      ways[`twhin run, ${updates} updates an edge`] = () => stream.updater(settings);
      for (const threads of installed ? [1, 2] : [])
        ways[`script, ${updates} updates, threads: ${threads}`] = () => stream.peer(python, updates, threads);
    }
    await here.turns(ways);
  },
});
