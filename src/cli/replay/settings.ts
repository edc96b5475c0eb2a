import type { Config, GraphConfig } from '../../config/resolve.ts';

/** Settings by their names in the configuration file, values as text. */
export type Settings = Readonly<Record<string, string>>;

/**
 * All that decides the bytes a graph is trained to; what bounds memory or is about publishing does not. Nor do threads: a
 * replay has one.
 */
export function settingsOf({ tuning, limits }: Config, graph: GraphConfig): Settings {
  const { model, maxRows: _rows, knownEdgesBytes: _bytes, threads: _threads, ...training } = graph.trainer;
  return flat({
    topics: graph.topics.map(({ name }) => name),
    model,
    training: { ...training, batchEdges: tuning.batchEdges },
    commit: { everyEdges: tuning.commitEdges, mostRows: tuning.commitRows },
    limits: { valueBytes: limits.valueBytes, depth: limits.depth },
  });
}

export interface SettingDifference {
  readonly key: string;
  readonly before: string;
  readonly after: string;
}

export function differencesOf(before: Settings, after: Settings): SettingDifference[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys
    .map((key) => ({ key, before: before[key] ?? 'nothing', after: after[key] ?? 'nothing' }))
    .filter((each) => each.before !== each.after);
}

function flat(value: object, path = ''): Record<string, string> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]: [string, unknown]) => {
      const key = `${path}${name}`;
      const plain = typeof inner !== 'object' || inner === null || Array.isArray(inner);
      return plain ? [[key, JSON.stringify(inner)]] : Object.entries(flat(inner, `${key}.`));
    }),
  );
}
