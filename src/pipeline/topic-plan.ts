import { type TopicDeclaration, UNLIMITED } from '../../topics/declaration.ts';
import type { LogAdmin, TopicState } from './ports.ts';

export interface ConfigChange {
  readonly key: string;
  /** undefined: the log says nothing about it. */
  readonly from: string | undefined;
  readonly to: string;
}

/** One change to a topic, or a difference that is left alone, with the reason. */
export type TopicAction =
  | { readonly kind: 'create'; readonly topic: TopicDeclaration }
  | { readonly kind: 'alter-configs'; readonly name: string; readonly changes: readonly ConfigChange[] }
  | {
      readonly kind: 'keep';
      readonly name: string;
      readonly reason: string;
      /** Nothing that uses the topic can work while it is like this. */
      readonly unusable?: true;
    }
  /** It belongs to others, and nobody asked to create it. */
  | { readonly kind: 'missing'; readonly name: string };

type Configs = Readonly<Record<string, string>>;

/**
 * What would make `actual` meet `declared`; empty when they agree. Only topics that we write are ever changed, and never so
 * that records are deleted which the topic keeps now. Every other difference gives a `keep`, which does nothing.
 * asked: names of topics of others that are to be created too.
 */
export function planTopics(
  declared: readonly TopicDeclaration[],
  actual: readonly TopicState[],
  asked: readonly string[] = [],
): TopicAction[] {
  const states = new Map(actual.map((state) => [state.name, state]));
  return declared.flatMap((topic): TopicAction[] => {
    const state = states.get(topic.name);
    if (state !== undefined)
      return topic.role === 'written' ? planWritten(topic, state) : planEvents(topic, state);
    const { name } = topic;
    return topic.role === 'named' && !asked.includes(name)
      ? [{ kind: 'missing', name }]
      : [{ kind: 'create', topic }];
  });
}

/** The topics that a start creates where they are missing: none of others. */
export function createdTopics(declared: readonly TopicDeclaration[]): TopicDeclaration[] {
  return declared.filter(({ role }) => role !== 'named');
}

function planWritten({ name, configs, ...topic }: TopicDeclaration, state: TopicState): TopicAction[] {
  const actions: TopicAction[] = [];
  if (state.partitions !== topic.partitions) {
    const { partitionsStay } = topic;
    const seen = `${counted(state.partitions, 'partition')} here, ${topic.partitions} declared`;
    const why =
      partitionsStay ??
      'any number works, and another would move keys, so that old records of a key stay beside its new ones';
    const unusable = partitionsStay !== undefined && ({ unusable: true } as const);
    actions.push({ kind: 'keep', name, reason: `${seen}; ${why}`, ...unusable });
  }
  const changes = Object.entries(configs)
    .map(([key, to]) => ({ key, from: state.configs[key], to }))
    .filter(({ key, from, to }) => from === undefined || (from !== to && !suffices(key, from, to)));
  const deleting = changes.find(
    ({ key, from, to }) => key === 'cleanup.policy' && to === 'delete' && from === 'compact',
  );
  if (deleting !== undefined) {
    const reason = `cleanup.policy is compact here, delete declared: only the newest record of each key stays. Setting it to delete also deletes what is older than ${kept(configs['retention.ms'])}, so it is left to you`;
    actions.push({ kind: 'keep', name, reason });
  }
  const set = changes.filter((change) => change !== deleting);
  if (set.length > 0) actions.push({ kind: 'alter-configs', name, changes: set });
  return actions;
}

/** Settings that are as good when they are larger, or smaller, than declared; the other way round they would delete more or later. */
const AT_LEAST = new Set(['retention.ms', 'delete.retention.ms', 'max.message.bytes']);
const AT_MOST = new Set(['max.compaction.lag.ms', 'min.cleanable.dirty.ratio', 'segment.bytes']);

/** Whether a setting may stay as an operator set it. */
function suffices(key: string, here: string, declared: string): boolean {
  if (AT_LEAST.has(key)) return numberOf(here) >= numberOf(declared);
  return AT_MOST.has(key) && numberOf(here) <= numberOf(declared);
}

function numberOf(setting: string): number {
  return setting === UNLIMITED ? Number.POSITIVE_INFINITY : Number(setting);
}

/** What differs in an event topic that exists, and what it costs; it is never changed. */
function planEvents({ name, role, partitions, configs }: TopicDeclaration, state: TopicState): TopicAction[] {
  const reasons: string[] = [];
  if (role === 'events' && state.partitions !== partitions)
    reasons.push(`${counted(state.partitions, 'partition')} here, ${partitions} declared; any number works`);
  if (state.configs['cleanup.policy']?.includes('compact'))
    reasons.push(
      'it is compacted here: only the newest event of each key stays, and a replay reads no others',
    );
  const [here, declared] = [state.configs['retention.ms'], configs['retention.ms']];
  if (
    deletes(state.configs) &&
    here !== undefined &&
    declared !== undefined &&
    numberOf(here) < numberOf(declared)
  )
    reasons.push(
      `retention ${kept(here)} here, ${kept(declared)} declared: a replay can only go back ${kept(here)}`,
    );
  return reasons.map((reason) => ({ kind: 'keep', name, reason }));
}

function deletes(configs: Configs): boolean {
  return configs['cleanup.policy']?.includes('delete') ?? true;
}

/**
 * What a store that is rebuilt from the event topics would lack because they don't keep everything: sentences for people, none
 * where they do. A topic that is to be created is taken as declared. asked: as for {@link planTopics}.
 */
export function replayGaps(
  declared: readonly TopicDeclaration[],
  actual: readonly TopicState[],
  asked: readonly string[] = [],
): string[] {
  const states = new Map(actual.map((state) => [state.name, state]));
  const events = declared
    .filter(
      ({ role, name }) =>
        role === 'events' || (role === 'named' && (states.has(name) || asked.includes(name))),
    )
    .map((topic) => ({ ...topic, configs: states.get(topic.name)?.configs ?? topic.configs }));
  const limited = events.flatMap(({ name, erasures, configs }) => {
    const limit = erasures ? undefined : limitOf(configs);
    return limit === undefined ? [] : [{ name, limit }];
  });
  const gaps: string[] = [];
  if (limited.length > 0) {
    const groups = [...Map.groupBy(limited, ({ limit }) => limit)].map(
      ([limit, topics]) => `${limit} on ${topics.map(({ name }) => name).join(', ')}`,
    );
    gaps.push(
      `Events are kept ${groups.join('; ')}. A store that is rebuilt from the topics lacks older events: ` +
        'take backups with twhin backup, or raise retention.ms of the topics.',
    );
  }
  for (const erasure of events.filter((each) => each.erasures)) {
    const erasedFor = retentionOf(erasure.configs);
    const outlived = events.filter(({ erasures, configs }) => !erasures && retentionOf(configs) > erasedFor);
    if (outlived.length === 0) continue;
    gaps.push(
      `Erasures are kept ${limitOf(erasure.configs)} on ${erasure.name}, and events longer on ${outlived.map(({ name }) => name).join(', ')}. ` +
        `A replay brings back what was erased before that: raise retention.ms of ${erasure.name}.`,
    );
  }
  return gaps;
}

/** How long records are kept, in ms; of a compacted topic, the newest of each key. */
function retentionOf(configs: Configs): number {
  return deletes(configs) ? numberOf(configs['retention.ms'] ?? UNLIMITED) : Number.POSITIVE_INFINITY;
}

/** How long or how many records a topic keeps; undefined: all, for ever. */
function limitOf(configs: Configs): string | undefined {
  const { 'retention.ms': ms = UNLIMITED, 'retention.bytes': bytes = UNLIMITED } = configs;
  const limits = [
    ...(deletes(configs) && ms !== UNLIMITED ? [`for ${kept(ms)}`] : []),
    ...(deletes(configs) && bytes !== UNLIMITED ? [`up to ${bytes} bytes a partition`] : []),
    ...(configs['cleanup.policy']?.includes('compact') ? ['as the newest of each key'] : []),
  ];
  return limits.length === 0 ? undefined : limits.join(' and ');
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const;

/** A retention as a person reads it: `7 days`. */
function kept(ms = UNLIMITED): string {
  if (ms === UNLIMITED) return 'unlimited';
  const [unit, unitMs] = UNITS.find(([, each]) => Number(ms) >= each) ?? ['ms', 1];
  return counted(Math.round((10 * Number(ms)) / unitMs) / 10, unit);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 || what === 'ms' ? '' : 's'}`;
}

/** One action as a person reads it. */
export function describeAction(action: TopicAction): string {
  switch (action.kind) {
    case 'create': {
      const configs = Object.entries(action.topic.configs).map(([key, value]) => `${key}=${value}`);
      return `create ${action.topic.name}: ${[counted(action.topic.partitions, 'partition'), ...configs].join(', ')}`;
    }
    case 'alter-configs': {
      const changes = action.changes.map(({ key, from, to }) => `${key} ${from ?? 'unset'} -> ${to}`);
      return `set on ${action.name}: ${changes.join(', ')}`;
    }
    case 'keep':
      return `leave ${action.name} as it is: ${action.reason}`;
    case 'missing':
      return `${action.name} does not exist, and it is a topic of others: ask its owner, or create it with: twhin topics apply --create ${action.name}`;
  }
}

/** Does the actions in order. Idempotent. */
export async function applyTopics(admin: LogAdmin, actions: readonly TopicAction[]): Promise<void> {
  for (const action of actions) {
    if (action.kind === 'create') await admin.create([action.topic]);
    if (action.kind === 'alter-configs') {
      const set = action.changes.map(({ key, to }) => [key, to]);
      await admin.alterConfigs(action.name, Object.fromEntries(set));
    }
  }
}
