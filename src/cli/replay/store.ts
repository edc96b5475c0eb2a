import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { GraphConfig } from '../../config/resolve.ts';
import { FatalError, UsageError } from '../../errors/errors.ts';
import type { Head } from '../../graph/head.ts';
import type { Offsets, PartitionRange } from '../../pipeline/ports.ts';
import { refuseRecreated } from '../../pipeline/writing/topic-identity.ts';
import { partitionName } from '../../replay/partition.ts';
import { databaseFolder, openForReading, openForWriting } from '../../state/open.ts';
import { readOrigin, type StorePlace } from '../../state/places.ts';
import { type ReplayRecord, readReplayRecord } from './record.ts';
import { differencesOf, type ReplayRequest } from './request.ts';

/**
 * What an earlier replay of that name left to go on from; undefined where there is none.
 * @throws UsageError when it was asked something else, or the store is no replay's: with the way out.
 */
export async function earlierReplay(
  request: ReplayRequest,
  place: StorePlace,
): Promise<ReplayRecord | undefined> {
  const record = readReplayRecord(place);
  const head = await headOf(request.graph, place);
  if (record === undefined) {
    const from = readOrigin(place)?.from;
    // One that was killed between saying where its store comes from and what it reads has read nothing.
    if (head === undefined && (from === undefined || from === 'replay')) return undefined;
    throw new UsageError(
      `--into: ${place.folder} holds a store that is no replay's${from ? ` but came from a ${from}` : ''}; give another name`,
    );
  }
  const differing = differencesBetween(record, request);
  if (differing.length > 0) {
    throw new UsageError(
      `--into: ${place.name} is a replay that was asked something else:\n` +
        `${differing.map((line) => `  ${line}`).join('\n')}\n` +
        'Ask the same again to go on with it, give another name in --into, or begin anew with --restart.',
    );
  }
  for (const stretch of record.range) {
    const read = head?.offsets[stretch.topic]?.[stretch.partition] ?? 0;
    if (read <= stretch.until) continue;
    throw new UsageError(
      `--into: ${place.name} was run on after its replay: ${partitionName(stretch)} is read up to offset ${read}, the replay's range ends at ${stretch.until}; give another name, or begin anew with --restart`,
    );
  }
  return record;
}

/** Removes an earlier replay's store. @throws UsageError when it is no replay's, FatalError when it is in use. */
export async function removeReplay(graph: GraphConfig, place: StorePlace): Promise<void> {
  if (!existsSync(place.folder)) return;
  if (readReplayRecord(place) === undefined && (await headOf(graph, place)) !== undefined) {
    throw new UsageError(
      `--restart: ${place.folder} holds a store that is no replay's; give another name in --into`,
    );
  }
  if (existsSync(databaseFolder(place))) await (await openForWriting(graph, { place })).close();
  await rm(place.folder, { recursive: true });
}

/**
 * Makes sure that a replay can go on: that the log holds what is left of it. offsets: up to where its store has read.
 * @throws FatalError saying what is there and what was.
 */
export function checkStillThere(
  { range, topicIds }: ReplayRecord,
  offsets: Offsets,
  now: { readonly topicIds: Readonly<Record<string, string>>; readonly ranges: readonly PartitionRange[] },
): void {
  refuseRecreated(topicIds, now.topicIds, () => 'Begin anew with --restart.');
  for (const { topic, partition, from, until } of range) {
    const held = now.ranges.find((each) => each.topic === topic && each.partition === partition);
    const next = offsets[topic]?.[partition] ?? from;
    if (held && (next >= until || (held.low <= next && until <= held.high))) continue;
    const there = held ? `holds offsets ${held.low} to ${held.high}` : 'is gone';
    throw new FatalError(
      'replay-gone',
      `the replay still has to read offsets ${next} to ${until} of ${topic}/${partition}, which ${there}; begin anew with --restart`,
    );
  }
}

function differencesBetween(record: ReplayRecord, { options, settings }: ReplayRequest): string[] {
  const asked = [
    ['--from', record.from, options.from],
    ['--until', record.until, options.until],
    ['--publish', record.publish ?? 'nothing', options.publish ?? 'nothing'],
  ] as const;
  return [
    ...asked.flatMap(([name, was, is]) => (was === is ? [] : [`${name}: it has ${was}, seen ${is}`])),
    ...differencesOf(record.settings, settings).map(
      ({ key, before, after }) => `${key}: it has ${before}, seen ${after}`,
    ),
  ];
}

/** undefined: there is no store, or no commit in it yet. */
export async function headOf(graph: GraphConfig, place: StorePlace): Promise<Head | undefined> {
  const store = await openForReading(graph, place);
  try {
    return await store?.head();
  } finally {
    await store?.close();
  }
}
