import type { EntityView, MapView, RejectedView, Views } from '../../../adapters/http/views.ts';
import { type Projection, project } from '../../../dashboard/projection.ts';
import type { Updater } from '../../../pipeline/updater.ts';
import { Lookup } from './lookup.ts';
import type { Recorder } from './recorder.ts';
import { replaysOf } from './replays.ts';
import type { RunGraph } from './run-graph.ts';

/** A picture is made again at most this often, however many look at it. */
const MAP_MS = 2_000;

/** What is known of one graph beyond its status. */
export interface WatchedRun {
  readonly run: RunGraph;
  readonly recorder: Recorder;
}

/** Answers the dashboard's questions about the graphs that `of` knows. */
export function viewsOf(
  of: (graph: string) => WatchedRun | undefined,
  groupOf: (entity: string) => string | undefined = () => undefined,
): Views {
  const lookup = new Lookup();
  const maps = new Map<string, GraphMap>();
  return {
    history: (graph, range) => {
      const history = of(graph)?.recorder.history;
      return range === 'hour' ? history?.hour() : history?.day();
    },
    rejected: (graph, values) => rejectedOf(of(graph)?.run.updater, values),
    entity: async (graph, id) => {
      const watched = of(graph);
      return watched && lookUp(lookup, watched, id);
    },
    map: async (graph) => {
      const run = of(graph)?.run;
      return run && made(maps, graph, () => new GraphMap(groupOf)).read(run.updater);
    },
    replays: async (graph) => {
      const run = of(graph)?.run;
      return run && replaysOf(run.graph);
    },
  };
}

/** What the store says of the entity, and between which points of the curves its vector last moved. */
async function lookUp(
  lookup: Lookup,
  { run, recorder }: WatchedRun,
  id: string,
): Promise<EntityView | undefined> {
  const { name, folder, model } = run.graph;
  const found = await lookup.find({ name, folder, model }, id);
  if (found === undefined) return undefined;
  const { view, publishedStep } = found;
  return {
    ...view,
    movedBetween: publishedStep === undefined ? {} : recorder.history.when(publishedStep),
  };
}

function rejectedOf(updater: Updater | undefined, values: boolean): RejectedView | undefined {
  return updater
    ?.progress()
    .rejected.map(({ preview, message, ...record }) => ({
      ...record,
      ...(values && { message, value: preview?.toString('utf8') ?? null }),
    }))
    .reverse();
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

  read(updater: Updater): Promise<MapView> {
    const now = Date.now();
    if (this.#view === undefined || now - this.#at >= MAP_MS) {
      this.#at = now;
      this.#view = this.#draw(updater, now);
    }
    return this.#view;
  }

  async #draw(updater: Updater, at: number): Promise<MapView> {
    const sampled = await updater.sample();
    const vectors = sampled.map(({ vector }) => vector);
    const before = this.#axes?.[0].length === vectors[0]?.length ? this.#axes : undefined;
    const { points, axes } = project(vectors, before);
    if (vectors.length > 0) this.#axes = axes;
    const place = (i: number) => Number((points[i] ?? 0).toFixed(4));
    return {
      at,
      points: sampled.map(({ key }, i) => ({
        entity: key,
        ...{ x: place(2 * i), y: place(2 * i + 1), group: this.#groupOf(key) },
      })),
    };
  }
}

function made<T>(all: Map<string, T>, key: string, make: () => T): T {
  const found = all.get(key) ?? make();
  all.set(key, found);
  return found;
}
