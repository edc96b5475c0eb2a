import { readdirSync, readFileSync } from 'node:fs';
import type { z } from 'zod';
import { UsageError } from '../src/errors/errors.ts';
import { defineBench, type Figures } from './harness.ts';
import { Stream, stopped } from './stream.ts';

/** Clock ticks a second of /proc. */
const TICKS = 100;
/** Shards, in a process each with a p. */
const SHARDS = /^([1-9]\d*)(p?)$/;

const CPU = 'µs of CPU an event';
const BROKER = 'of the broker';
const PUBLISHED = 'published an event';
const GRADIENTS = 'gradients an event';
const VECTORS = 'vectors sent an event';
const BYTES = 'KB sent an event';
const COPIES = 'copies at the end';
const AGE = 'age of a vector, p99, ms';

/**
 * What a graph costs on several updaters: processor time for each event of all shards together, and of the broker, beside one
 * updater of the whole graph. Reading, training, exchange, committing and publishing, starts included. Ages are of the vectors in
 * parcels, from their writing to the log until they join a batch, while everything is read at once.
 */
export const shards = defineBench({
  name: 'shards',
  what: 'processor time of an event on one updater, and on the shards of a graph in one process or apart',
  docs: 'scale.md#what-it-costs',
  measures: ['src/shards', 'src/pipeline', 'src/adapters', 'topics'],
  sizes: {
    full: { higgs: '', events: 100_000, shards: '1,2,4,4p' },
    smoke: { higgs: '', events: 400, shards: '1,2' },
  },
  columns: [CPU, BROKER, PUBLISHED, GRADIENTS, VECTORS, BYTES, COPIES, AGE],
  async measure(here) {
    const names = here.size.shards.split(',');
    const wrong = names.find((name) => !SHARDS.test(name));
    if (wrong !== undefined)
      throw new UsageError(`--shards: expected numbers such as 4 or 4p, seen "${wrong}"`);
    const stream = await Stream.start(here, here.size);
    const { records } = stream;
    const turn = (name: string) => async (): Promise<Figures> => {
      const [, count, apart] = SHARDS.exec(name) ?? [];
      here.say(name);
      const before = brokerSeconds();
      const usages = await stream.shards(here.set, Number(count), apart === 'p');
      const ended = usages
        .flatMap(({ stderr }) => stderr.split('\n'))
        .filter((line) => line.includes('"msg":"stopped"'))
        .map((line) => stopped.parse(JSON.parse(line)));
      const sum = (of: (each: z.infer<typeof stopped>) => number) =>
        ended.reduce((total, each) => total + of(each), 0);
      const micros = (seconds: number) => (1e6 * seconds) / records;
      return {
        [CPU]: micros(usages.reduce((total, { cpu }) => total + cpu, 0)),
        [BROKER]: micros(brokerSeconds() - before),
        [PUBLISHED]: sum((each) => each.published) / records,
        [GRADIENTS]: sum(({ exchange }) => exchange?.sentGradients ?? 0) / records,
        [VECTORS]: sum(({ exchange }) => exchange?.sentVectors ?? 0) / records,
        [BYTES]: sum(({ exchange }) => exchange?.sentBytes ?? 0) / 1000 / records,
        [COPIES]: sum(({ exchange }) => exchange?.copies ?? 0),
        [AGE]: Math.max(...ended.map(({ exchange }) => exchange?.vectorAgeMs.p99 ?? 0)),
      };
    };
    await here.turns(Object.fromEntries(names.map((name) => [name, turn(name)])));
  },
});

/** Seconds of processor that brokers have taken; 0 where the system does not say. */
function brokerSeconds(): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const read = (file: string) => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, 'utf8');
      } catch {
        // The process has ended meanwhile.
        return '';
      }
    };
    if (!read('cmdline').includes('kafka.Kafka')) continue;
    const [user = 0, system = 0] = read('stat').split(') ')[1]?.split(' ').slice(11, 13).map(Number) ?? [];
    ticks += user + system;
  }
  return ticks / TICKS;
}
