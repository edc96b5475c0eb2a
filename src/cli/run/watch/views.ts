import type { EntityView, MapView, RejectedView, ReplaysView, Views } from '../../../adapters/http/views.ts';
import type { GraphConfig } from '../../../config/resolve.ts';
import { type Projection, project } from '../../../dashboard/projection.ts';
import { otherPlaces } from '../../../state/places.ts';
import { readProgress } from '../../replay/progress.ts';
import { readReplayRecord } from '../../replay/record.ts';
import { Lookup } from './lookup.ts';
import type { Recorder } from './recorder.ts';
import type { RunGraph, WatchedUpdater } from './status.ts';

/** Minimum time between two drawings of a map, however many readers ask. */
const MAP_MS = 2_000;

/** A running graph and its curves. */
export interface WatchedRun {
  readonly run: RunGraph;
  readonly recorder: Recorder;
}

/** Answers the dashboard's questions. find: a graph by name; undefined if no such graph is open. */
export function viewsOf(
  find: (graph: string) => WatchedRun | undefined,
  groupOf: (entity: string) => string | undefined = () => undefined,
): Views {
  const lookup = new Lookup();
  const maps = new Map<string, GraphMap>();
  return {
    history: (graph, range) => {
      const history = find(graph)?.recorder.history;
      return range === 'hour' ? history?.hour() : history?.day();
    },
    rejected: (graph, values) => rejectedOf(find(graph)?.run.updater, values),
    entity: async (graph, id) => {
      const watched = find(graph);
      return watched && lookUp(lookup, watched, id);
    },
    map: async (graph) => {
      const run = find(graph)?.run;
      if (run === undefined) return undefined;
      const map = maps.get(graph) ?? new GraphMap(groupOf);
      maps.set(graph, map);
      return map.read(run.updater);
    },
    replays: async (graph) => {
      const run = find(graph)?.run;
      return run && replaysOf(run.graph);
    },
  };
}

/** The entity as stored, with the two points of the curves between which its vector last moved. */
async function lookUp(
  lookup: Lookup,
  { run, recorder }: WatchedRun,
  id: string,
): Promise<EntityView | undefined> {
  const { name, folder, model } = run.graph;
  const found = await lookup.find({ name, folder, model }, id);
  if (found === undefined) return undefined;
  const { view, publishedStep } = found;
  return { ...view, movedBetween: publishedStep === undefined ? {} : recorder.history.when(publishedStep) };
}

function rejectedOf(updater: WatchedUpdater | undefined, values: boolean): RejectedView | undefined {
  return updater
    ?.progress()
    .rejected.map(({ preview, message, ...record }) => ({
      ...record,
      ...(values && { message, value: preview?.toString('utf8') ?? null }),
    }))
    .reverse();
}

/** The shadow stores that replays make, with the progress that each replay last wrote beside its store. */
async function replaysOf(graph: GraphConfig): Promise<ReplaysView> {
  const found: ReplaysView = [];
  for (const place of otherPlaces(graph)) {
    const record = readReplayRecord(place);
    if (record === undefined) continue;
    const { since, finished, settings, range } = record;
    const partitions = range
      .filter(({ from, until }) => from < until)
      .map(({ topic, partition, from, until }) => ({ topic, partition, done: 0, of: until - from }));
    const store = place.name;
    found.push({ store, since, finished, settings, partitions, mrr: {}, ...(await readProgress(place)) });
  }
  return found;
}

/** The embedding map of one graph. */
class GraphMap {
  readonly #groupOf: (entity: string) => string | undefined;
  #axes: Projection['axes'] | undefined;
  #at = 0;
  #view: Promise<MapView> | undefined;

  constructor(groupOf: (entity: string) => string | undefined) {
    this.#groupOf = groupOf;
  }

  read(updater: WatchedUpdater): Promise<MapView> {
    const now = Date.now();
    if (this.#view === undefined || now - this.#at >= MAP_MS) {
      this.#at = now;
      this.#view = this.#draw(updater, now);
    }
    return this.#view;
  }

  async #draw(updater: WatchedUpdater, at: number): Promise<MapView> {
    const sampled = await updater.sample();
    const vectors = sampled.map(({ vector }) => vector);
    const before = this.#axes?.[0].length === vectors[0]?.length ? this.#axes : undefined;
    const { points, axes } = project(vectors, before);
    if (vectors.length > 0) this.#axes = axes;
    const coordinate = (i: number) => Number((points[i] ?? 0).toFixed(4));
    return {
      at,
      points: sampled.map(({ key }, i) => ({
        entity: key,
        x: coordinate(2 * i),
        y: coordinate(2 * i + 1),
        group: this.#groupOf(key),
      })),
    };
  }
}
