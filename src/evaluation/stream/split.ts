import type { EdgeStream } from './edge-stream.ts';

/** Relations from one type of entity to one other, and what was known of them at the cut. */
export interface Pair {
  readonly lhsType: string;
  readonly rhsType: string;
  /** Indices of the relations with an event before the cut. */
  readonly relations: readonly number[];
  /** [candidates] every entity of `rhsType` learned before the cut, by number in the stream. */
  readonly candidates: Int32Array;
  /** [entities] the candidate number of each entity by number in the stream, or -1. */
  readonly itemOf: Int32Array;
  /** Edges that are live at the cut, the oldest event first. item: candidate number. */
  readonly live: {
    readonly lhs: Int32Array;
    readonly relation: Uint8Array;
    readonly item: Int32Array;
    /** The number of each edge's last event. */
    readonly event: Int32Array;
  };
}

/** A question asked for each user: which entities come next by one relation, or by any relation of a pair. */
export interface Scope {
  readonly name: string;
  readonly pair: Pair;
  readonly relations: readonly number[];
}

/** What one user did after the cut. */
export interface Task {
  /** The user, by number in the stream. */
  readonly lhs: number;
  readonly scope: Scope;
  /** Candidate numbers of the new targets, each once. */
  readonly targets: Int32Array;
  /** Candidate numbers that are left out of the ranking: seen before the cut in the scope, and the user itself. */
  readonly seen: readonly number[];
}

/** A stream split in time: what was known at the cut, and what to guess. */
export type Split = ReturnType<typeof splitStream>;

/**
 * Splits a stream before event `cut`. A target counts if user and target were learned before the cut, neither is erased
 * in the stream, and the user never had the edge in the scope's relations, nor aims at itself. A task has at least one target.
 */
export function splitStream(stream: EdgeStream, cut: number) {
  const known = new Uint8Array(stream.entities.length);
  // An entity that only removals name was never learned.
  for (let event = 0; event < cut; event++) {
    if (stream.removes[event]) continue;
    known[stream.lhs[event]!] = 1;
    known[stream.rhs[event]!] = 1;
  }
  for (const entity of stream.erased) {
    const number = stream.find(entity);
    if (number !== undefined) known[number] = 0;
  }
  const pairs = pairsOf(stream, cut).map((pair) => pairAt(stream, cut, known, pair));
  const scopes = pairs.flatMap(scopesOf(stream));
  return { cut, scopes, tasks: scopes.flatMap((scope) => tasksOf(stream, cut, known, scope)) };
}

type PairName = Pick<Pair, 'lhsType' | 'rhsType' | 'relations'>;

function pairsOf(stream: EdgeStream, cut: number): PairName[] {
  const used = new Set<number>();
  for (let event = 0; event < cut; event++) if (!stream.removes[event]) used.add(stream.relation[event]!);
  const relations = [...used].sort((a, b) => a - b);
  const byPair = Map.groupBy(relations, (relation) => {
    const { lhs, rhs } = stream.relations[relation]!;
    return `${lhs}→${rhs}`;
  });
  return [...byPair.values()].map((of) => {
    const { lhs, rhs } = stream.relations[of[0]!]!;
    return { lhsType: lhs, rhsType: rhs, relations: of };
  });
}

function scopesOf(stream: EdgeStream): (pair: Pair) => Scope[] {
  return (pair) => {
    const single = pair.relations.map((relation) => ({
      name: stream.relations[relation]!.name,
      pair,
      relations: [relation],
    }));
    if (single.length === 1) return single;
    return [{ name: `${pair.lhsType}→${pair.rhsType}`, pair, relations: pair.relations }, ...single];
  };
}

function pairAt(stream: EdgeStream, cut: number, known: Uint8Array, pair: PairName): Pair {
  const candidates = [...known.keys()].filter(
    (entity) => known[entity] === 1 && stream.typeOf(entity) === pair.rhsType,
  );
  const itemOf = new Int32Array(known.length).fill(-1);
  candidates.forEach((entity, item) => {
    itemOf[entity] = item;
  });
  const last = new Map<string, number>();
  for (let event = 0; event < cut; event++) {
    if (!pair.relations.includes(stream.relation[event]!)) continue;
    const name = `${stream.lhs[event]},${stream.relation[event]},${stream.rhs[event]}`;
    last.delete(name);
    last.set(name, event);
  }
  const live = [...last.values()].filter((event) => {
    return !stream.removes[event] && known[stream.lhs[event]!] === 1 && known[stream.rhs[event]!] === 1;
  });
  return {
    ...pair,
    candidates: Int32Array.from(candidates),
    itemOf,
    live: {
      lhs: Int32Array.from(live, (event) => stream.lhs[event]!),
      relation: Uint8Array.from(live, (event) => stream.relation[event]!),
      item: Int32Array.from(live, (event) => itemOf[stream.rhs[event]!]!),
      event: Int32Array.from(live),
    },
  };
}

function tasksOf(stream: EdgeStream, cut: number, known: Uint8Array, scope: Scope): Task[] {
  const { itemOf } = scope.pair;
  const itemIn = (event: number) => {
    const item = itemOf[stream.rhs[event]!]!;
    return item >= 0 && scope.relations.includes(stream.relation[event]!) ? item : undefined;
  };
  const targets = new Map<number, Set<number>>();
  for (let event = cut; event < stream.length; event++) {
    const [lhs, item] = [stream.lhs[event]!, itemIn(event)];
    if (item === undefined || stream.removes[event] || known[lhs] === 0 || lhs === stream.rhs[event])
      continue;
    targets.set(lhs, (targets.get(lhs) ?? new Set()).add(item));
  }
  const seen = new Map([...targets.keys()].map((lhs) => [lhs, new Set<number>()]));
  for (let event = 0; event < cut; event++) {
    const item = itemIn(event);
    if (item !== undefined) seen.get(stream.lhs[event]!)?.add(item);
  }
  return [...targets].flatMap(([lhs, wanted]) => {
    const own = seen.get(lhs) ?? new Set();
    const fresh = [...wanted.difference(own)];
    if (fresh.length === 0) return [];
    const itself = itemOf[lhs]!;
    return [{ lhs, scope, targets: Int32Array.from(fresh), seen: [...(itself < 0 ? own : own.add(itself))] }];
  });
}

/** Tasks of at most `users` users, drawn with equal chances, in the order of the tasks. */
export function sampleTasks(tasks: readonly Task[], users: number, below: (n: number) => number): Task[] {
  const all = [...new Set(tasks.map(({ lhs }) => lhs))];
  const picked = Math.min(users, all.length);
  for (let i = 0; i < picked; i++) {
    const other = i + below(all.length - i);
    [all[i], all[other]] = [all[other]!, all[i]!];
  }
  const chosen = new Set(all.slice(0, picked));
  return tasks.filter(({ lhs }) => chosen.has(lhs));
}
