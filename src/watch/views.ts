import type { MapView, RejectedView, Views } from '../adapters/http/views.ts';
import type { Recorder } from './curves.ts';
import { Lookup } from './lookup.ts';
import { type Projection, project } from './projection.ts';
import type { RunGraph } from './status.ts';

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
    history: (graph, range) => find(graph)?.recorder.curves.of(range),
    rejected: (graph, values) => rejectedOf(find(graph)?.run.updater, values),
    entity: async (graph, id) => {
      const config = find(graph)?.run.graph;
      // A thread can be handed nothing but data.
      return config && lookup.find({ name: config.name, folder: config.folder, model: config.model }, id);
    },
    map: async (graph) => {
      const run = find(graph)?.run;
      if (run === undefined) return undefined;
      const map = maps.get(graph) ?? new GraphMap(groupOf);
      maps.set(graph, map);
      return map.read(run.updater);
    },
  };
}

function rejectedOf(updater: RunGraph['updater'] | undefined, values: boolean): RejectedView | undefined {
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

  read(updater: RunGraph['updater']): Promise<MapView> {
    const now = Date.now();
    if (this.#view === undefined || now - this.#at >= MAP_MS) {
      this.#at = now;
      this.#view = this.#draw(updater, now);
    }
    return this.#view;
  }

  async #draw(updater: RunGraph['updater'], at: number): Promise<MapView> {
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
