import type { MapView, RejectedView, Views } from '../adapters/http/status.ts';
import type { Recorder } from './curves.ts';
import { Lookup } from './lookup.ts';
import type { RunGraph } from './status.ts';

/** Minimum time between two drawings of a map, however many readers ask. */
const MAP_MS = 2_000;

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
  const maps = new Map<string, ReturnType<typeof mapOf>>();
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
      const map = maps.get(graph) ?? mapOf(groupOf);
      maps.set(graph, map);
      return map(run.updater);
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

/** Draws a map of a graph, from the axes of the map before. */
function mapOf(groupOf: (entity: string) => string | undefined) {
  let axes: Projection['axes'] | undefined;
  let drawnAt = 0;
  let view: Promise<MapView> | undefined;
  const draw = async (updater: RunGraph['updater'], at: number): Promise<MapView> => {
    const sampled = await updater.sample();
    const vectors = sampled.map(({ vector }) => vector);
    const drawn = project(vectors, axes?.[0].length === vectors[0]?.length ? axes : undefined);
    if (vectors.length > 0) axes = drawn.axes;
    const coordinate = (i: number) => Number((drawn.points[i] ?? 0).toFixed(4));
    const points = sampled.map(({ key: entity }, i) => {
      return { entity, x: coordinate(2 * i), y: coordinate(2 * i + 1), group: groupOf(entity) };
    });
    return { at, points };
  };
  return (updater: RunGraph['updater']): Promise<MapView> => {
    const now = Date.now();
    if (view !== undefined && now - drawnAt < MAP_MS) return view;
    drawnAt = now;
    view = draw(updater, now);
    return view;
  };
}

/** Rounds of the power iteration. A few are enough, because the iteration starts from the previous axes. */
const ROUNDS = 12;

/** Points in two dimensions, and the axes of the projection. */
export interface Projection {
  /** [n, 2], row-major. */
  readonly points: Float64Array;
  /** Two orthogonal unit vectors of [dim]. */
  readonly axes: readonly [Float64Array, Float64Array];
}

/** Two principal components, by power iteration from the axes `before`: the picture does not flip. vectors: n of [dim]. */
export function project(vectors: readonly Float32Array[], before?: Projection['axes']): Projection {
  const dim = vectors[0]?.length ?? 0;
  const mean = new Float64Array(dim);
  for (const vector of vectors) for (let k = 0; k < dim; k++) mean[k]! += vector[k]! / vectors.length;
  const first = component(vectors, mean, before?.[0] ?? slanted(dim, 0), undefined);
  const second = component(vectors, mean, before?.[1] ?? slanted(dim, 1), first);
  const points = new Float64Array(2 * vectors.length);
  vectors.forEach((vector, i) => {
    points[2 * i] = along(vector, mean, first);
    points[2 * i + 1] = along(vector, mean, second);
  });
  return { points, axes: [first, second] };
}

/** across: a direction that the component must be orthogonal to. */
function component(
  vectors: readonly Float32Array[],
  mean: Float64Array,
  start: Float64Array,
  across: Float64Array | undefined,
): Float64Array {
  let axis = orthogonal(Float64Array.from(start), across);
  for (let round = 0; round < ROUNDS; round++) {
    const next = new Float64Array(axis.length);
    for (const vector of vectors) {
      const length = along(vector, mean, axis);
      for (let k = 0; k < next.length; k++) next[k]! += length * (vector[k]! - mean[k]!);
    }
    if (norm(next) < 1e-12) break;
    axis = orthogonal(next, across);
  }
  return axis;
}

/** The part of `axis` that is orthogonal to `across`, scaled to length 1. */
function orthogonal(axis: Float64Array, across: Float64Array | undefined): Float64Array {
  if (across !== undefined) {
    let shared = 0;
    for (let k = 0; k < axis.length; k++) shared += axis[k]! * across[k]!;
    for (let k = 0; k < axis.length; k++) axis[k]! -= shared * across[k]!;
  }
  const length = norm(axis);
  return length === 0 ? axis : axis.map((value) => value / length);
}

/** A start direction that is unlikely to be orthogonal to a component. */
function slanted(dim: number, which: number): Float64Array {
  return Float64Array.from({ length: dim }, (_, k) => Math.cos(1 + which + k * (1 + which)));
}

function along(vector: Float32Array, mean: Float64Array, axis: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < axis.length; k++) sum += (vector[k]! - mean[k]!) * axis[k]!;
  return sum;
}

function norm(axis: Float64Array): number {
  return Math.sqrt(axis.reduce((sum, value) => sum + value * value, 0));
}
