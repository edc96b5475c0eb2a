import { fullName } from '../../../topics/index.ts';
import { freshSpace } from '../../compose/graph-updater.ts';
import type { ReplayPaceOptions } from '../../compose/pace.ts';
import { composeReplayAt } from '../../compose/replay.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { FatalError, RetryableError } from '../../errors/errors.ts';
import { graphOf } from '../../graph/shard.ts';
import type { Log } from '../../log.ts';
import type { EventLog, Stretch } from '../../pipeline/ports.ts';
import { refuseRecreated } from '../../pipeline/writing/topic-identity.ts';
import { recordsIn } from '../../replay/partition.ts';
import { ProgressMeter } from '../../replay/progress.ts';
import type { StorePlace } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import { reportReplay } from './progress.ts';
import { headOf } from './store.ts';

/** A store, and the log that it is to go on reading. */
export interface Ahead {
  readonly config: Config;
  readonly graph: GraphConfig;
  readonly place: StorePlace;
  readonly reader: EventLog;
  /** Full names of the topics; absent: the graph's event topics. */
  readonly topics?: readonly string[];
}

export interface CatchUp extends Ahead {
  readonly log: Log;
  readonly context: Pick<CommandContext, 'output' | 'stopping' | 'world'>;
  /** Number of unread records that may be left. */
  readonly maxLag: number;
  readonly pace: ReplayPaceOptions;
}

/**
 * Trains a store without an updater from its own offsets, in passes, until at most `maxLag` records are left.
 * Gives how many records were read and how many are left.
 * @throws RetryableError `interrupted`; the store is at its last commit, and the same command continues.
 */
export async function catchUp(options: CatchUp): Promise<{ read: number; left: number }> {
  let read = 0;
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    const stretches = await ahead(options);
    const left = recordsIn(stretches);
    if (left <= options.maxLag) return { read, left };
    if (left >= before) warnOfNoEnd(options, left, before);
    await pass(options, stretches);
    read += left;
    before = left;
  }
}

/** As many records arrive during a pass as it reads, so the catching up may never end by itself. */
function warnOfNoEnd({ graph, place, log, pace }: CatchUp, left: number, before: number): void {
  const held = pace.rate !== undefined || pace.cpuShare !== undefined;
  const faster = held ? ', and without --rate and --cpu-share it reads faster' : '';
  log.warn(
    { graph: graph.name, store: place.name, left, before },
    `${place.name} does not come nearer: ${left} records behind after a pass over ${before}. --max-lag ${left} or more ` +
      `swaps now, and the updater reads the rest${faster}; interrupted, everything stays as it was`,
  );
}

/**
 * The records that the store has not read yet.
 * @throws FatalError when the log no longer holds the next record, or a topic was recreated: a run would end in the same way.
 */
export async function ahead({ config, graph, place, reader, ...of }: Ahead): Promise<Stretch[]> {
  const head = await headOf(graph, place);
  if (head === undefined)
    throw new FatalError('store-missing', `there is no store ${place.name} in ${place.folder}`);
  const topics = of.topics ?? graph.topics.map((topic) => fullName(config.topicPrefix, topic));
  const anew = (topic: string) =>
    `Nothing has changed. --reread ${topic} keeps what it learned and reads the topic from its start; or make a store of what ` +
    `the topics hold now with twhin replay --graph ${graphOf(graph)} --into NAME, and promote that`;
  refuseRecreated(head.topicIds, await reader.topicIds(topics), anew);
  return (await reader.ranges(topics)).map(({ topic, partition, low, high }) => {
    const from = head.offsets[topic]?.[partition] ?? low;
    if (low <= from && from <= high) return { topic, partition, from, until: high };
    const what = from < low ? 'retention took the records in between' : 'the topic was deleted and recreated';
    throw new FatalError(
      'offset-out-of-range',
      `${place.name} has read ${topic}/${partition} up to offset ${from}, but the log holds ${low} to ${high}: ${what}. ${anew(topic)}`,
    );
  });
}

async function pass(options: CatchUp, range: readonly Stretch[]): Promise<void> {
  const { config, graph, place, reader, log, context, pace } = options;
  const topicIds = await reader.topicIds([...new Set(range.map(({ topic }) => topic))]);
  const { updater, merged } = await composeReplayAt(
    config,
    graph,
    { place, openStore: context.world.openStore },
    { log, pace, eventLog: reader, range, topicIds, space: freshSpace() },
  );
  const { stopping } = context;
  const abandon = () => void updater.abandon();
  stopping.addEventListener('abort', abandon);
  if (stopping.aborted) abandon();
  const meter = new ProgressMeter(range, (stretch) => merged.reached(stretch), Date.now);
  const fields = { graph: graph.name, store: place.name };
  const reporting = reportReplay(meter, () => updater.progress().phase, fields, {
    log,
    output: context.output,
  });
  try {
    await updater.run({ untilCaughtUp: true });
  } finally {
    reporting.stop();
    stopping.removeEventListener('abort', abandon);
  }
  if (stopping.aborted) {
    throw new RetryableError(
      'interrupted',
      `interrupted while ${place.name} was catching up; it is not live, and the same command goes on from there`,
    );
  }
}
