import type { ReplaysView } from '../../../adapters/http/views.ts';
import type { GraphConfig } from '../../../config/resolve.ts';
import { openForReading } from '../../../state/open.ts';
import { otherPlaces, type StorePlace } from '../../../state/places.ts';
import { type ReplayRecord, readReplayRecord } from '../../replay/record.ts';

/** A store opened for its head alone is looked at this often. */
const LOOK_MS = 5_000;

/** The stores that replays make beside the live one, each with how far its last commit is. */
export class Replays {
  #at = 0;
  #view: Promise<ReplaysView> | undefined;

  async of(graph: GraphConfig): Promise<ReplaysView> {
    const now = Date.now();
    if (this.#view === undefined || now - this.#at >= LOOK_MS) {
      this.#at = now;
      this.#view = look(graph);
    }
    return this.#view;
  }
}

async function look(graph: GraphConfig): Promise<ReplaysView> {
  const found: ReplaysView = [];
  for (const place of otherPlaces(graph)) {
    const record = readReplayRecord(place);
    if (record !== undefined) found.push(await describe(graph, place, record));
  }
  return found;
}

async function describe(
  graph: GraphConfig,
  place: StorePlace,
  { since, finished, settings, range }: ReplayRecord,
): Promise<ReplaysView[number]> {
  const offsets = await offsetsOf(graph, place);
  const partitions = range
    .filter(({ from, until }) => from < until)
    .map(({ topic, partition, from, until }) => {
      const reached = offsets?.[topic]?.[String(partition)] ?? from;
      return {
        topic,
        partition,
        done: Math.min(Math.max(0, reached - from), until - from),
        of: until - from,
      };
    });
  const sum = (of: (each: (typeof partitions)[number]) => number) =>
    partitions.reduce((total, each) => total + of(each), 0);
  return {
    ...{ store: place.name, since, finished, settings, partitions, of: sum((each) => each.of) },
    ...(offsets && { done: sum((each) => each.done) }),
  };
}

/** undefined where there is nothing yet, or it is being changed each time it is looked at. */
async function offsetsOf(
  graph: GraphConfig,
  place: StorePlace,
): Promise<Readonly<Record<string, Readonly<Record<string, number>>>> | undefined> {
  try {
    const store = await openForReading(graph, place);
    try {
      return (await store?.head())?.offsets;
    } finally {
      await store?.close();
    }
  } catch {
    // It is read again at the next look; the replay itself says what is wrong with its store.
    return undefined;
  }
}
