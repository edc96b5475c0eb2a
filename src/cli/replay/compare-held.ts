import { setTimeout as pause } from 'node:timers/promises';
import { topicName } from '../../../topics/index.ts';
import type { Log as EventLog } from '../../adapters/connect.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { reasonOf, TwhinError } from '../../errors/errors.ts';
import type { Offsets, SourceRecord, Stretch } from '../../pipeline/ports.ts';
import { readContent } from '../../pipeline/reading/record-content.ts';
import { heldStretches, readHeldRecords } from '../../replay/compare/held-records.ts';
import { recordsIn } from '../../replay/partition.ts';
import type { Output } from '../output.ts';
import { count } from '../progress-line.ts';
import { withinTime } from '../within-time.ts';

const ANSWER_MS = 20_000;
const LOOK_MS = 500;

/** Records that neither store has read, or why there are none. */
export interface HeldRecords {
  readonly records: readonly SourceRecord[];
  /** What kept them from being read. */
  readonly problem?: string;
}

export interface HeldOptions {
  readonly events: number;
  /** How long to wait for so many to come; 0: take what is there. */
  readonly waitMs: number;
}

/**
 * Reads the records after both stores' offsets, the earliest first. That the log can't be read is no failure: the rest
 * of a comparison does without.
 */
export async function heldRecords(
  config: Config,
  graph: GraphConfig,
  connection: EventLog,
  offsets: readonly Offsets[],
  options: HeldOptions,
  output: Output,
): Promise<HeldRecords> {
  const topics = new Map(graph.topics.map((topic) => [topicName(config.topicPrefix, topic.name), topic]));
  const read = (record: SourceRecord) => ({ ...record, content: readContent(record, topics, config.limits) });
  const where = `the events at ${connection.describe}`;
  try {
    const reader = connection.reader();
    try {
      const look = async () =>
        heldStretches(await withinTime(reader.ranges([...topics.keys()]), ANSWER_MS, where), offsets);
      const stretches = await waitFor(look, options, output);
      output.status('reading what was held back');
      return { records: await readHeldRecords(reader, stretches, options.events, read) };
    } finally {
      await reader.close();
    }
  } catch (error) {
    if (error instanceof TwhinError) return { records: [], problem: reasonOf(error) };
    throw error;
  }
}

/** Looks until there are enough records or the time is over. */
async function waitFor(
  look: () => Promise<Stretch[]>,
  { events, waitMs }: HeldOptions,
  output: Output,
): Promise<Stretch[]> {
  const until = performance.now() + waitMs;
  for (;;) {
    const stretches = await look();
    const there = recordsIn(stretches);
    const leftMs = until - performance.now();
    if (there >= events || leftMs <= 0) return stretches;
    output.status(
      `waiting for events: ${count(there)} of ${count(events)}, ${Math.ceil(leftMs / 1000)} s to go`,
    );
    await pause(Math.min(LOOK_MS, leftMs));
  }
}
