import type { ReplaysView } from '../../../adapters/http/views.ts';
import type { GraphConfig } from '../../../config/resolve.ts';
import { otherPlaces, type StorePlace } from '../../../state/places.ts';
import { readProgress } from '../../replay/progress.ts';
import { type ReplayRecord, readReplayRecord } from '../../replay/record.ts';

/** The stores that replays make beside the live one, each as its process told last. */
export async function replaysOf(graph: GraphConfig): Promise<ReplaysView> {
  const found: ReplaysView = [];
  for (const place of otherPlaces(graph)) {
    const record = readReplayRecord(place);
    if (record !== undefined) found.push(await describe(place, record));
  }
  return found;
}

async function describe(
  place: StorePlace,
  { since, finished, settings, range }: ReplayRecord,
): Promise<ReplaysView[number]> {
  const untold = range
    .filter(({ from, until }) => from < until)
    .map(({ topic, partition, from, until }) => ({ topic, partition, done: 0, of: until - from }));
  return {
    ...{ store: place.name, since, finished, settings, partitions: untold, mrr: {} },
    ...(await readProgress(place)),
  };
}
