import type { TopicDeclaration } from '../../topics/declaration.ts';
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
  | { readonly kind: 'add-partitions'; readonly name: string; readonly from: number; readonly to: number }
  | { readonly kind: 'alter-configs'; readonly name: string; readonly changes: readonly ConfigChange[] }
  | {
      readonly kind: 'keep';
      readonly name: string;
      readonly reason: string;
      /** Nothing that uses the topic can work while it is like this. */
      readonly unusable?: true;
    };

/**
 * What would make `actual` meet `declared`; empty when they agree. Nothing is ever shrunk, deleted or moved: such a
 * difference gives a `keep`, which does nothing.
 */
export function planTopics(
  declared: readonly TopicDeclaration[],
  actual: readonly TopicState[],
): TopicAction[] {
  const states = new Map(actual.map((state) => [state.name, state]));
  return declared.flatMap((topic) => {
    const state = states.get(topic.name);
    return state === undefined ? [{ kind: 'create' as const, topic }] : planTopic(topic, state);
  });
}

function planTopic(topic: TopicDeclaration, state: TopicState): TopicAction[] {
  const { name } = topic;
  const actions: TopicAction[] = [];
  if (topic.partitionsStay !== undefined && state.partitions !== topic.partitions) {
    const reason = `has ${state.partitions} partitions, ${topic.partitions} declared; ${topic.partitionsStay}`;
    actions.push({ kind: 'keep', name, reason, unusable: true });
  } else if (state.partitions < topic.partitions) {
    actions.push({ kind: 'add-partitions', name, from: state.partitions, to: topic.partitions });
  } else if (state.partitions > topic.partitions) {
    const reason = `has ${state.partitions} partitions, ${topic.partitions} declared; partitions are never taken away`;
    actions.push({ kind: 'keep', name, reason });
  }
  const changes = Object.entries(topic.configs)
    .map(([key, to]) => ({ key, from: state.configs[key], to }))
    .filter(({ from, to }) => from !== to);
  if (changes.length > 0) {
    actions.push({ kind: 'alter-configs', name, changes });
  }
  return actions;
}

/** One action as a person reads it. */
export function describeAction(action: TopicAction): string {
  switch (action.kind) {
    case 'create': {
      const configs = Object.entries(action.topic.configs).map(([key, value]) => `${key}=${value}`);
      return `create ${action.topic.name}: ${[`${action.topic.partitions} partitions`, ...configs].join(', ')}`;
    }
    case 'add-partitions':
      return `grow ${action.name}: ${action.from} to ${action.to} partitions (keys move; their order across the change is not kept)`;
    case 'alter-configs': {
      const changes = action.changes.map(({ key, from, to }) => `${key} ${from ?? 'unset'} -> ${to}`);
      return `set on ${action.name}: ${changes.join(', ')}`;
    }
    case 'keep':
      return `leave ${action.name} as it is: ${action.reason}`;
  }
}

/** Does the actions in order. Idempotent. */
export async function applyTopics(admin: LogAdmin, actions: readonly TopicAction[]): Promise<void> {
  for (const action of actions) {
    switch (action.kind) {
      case 'create':
        await admin.create([action.topic]);
        break;
      case 'add-partitions':
        await admin.addPartitions(action.name, action.to);
        break;
      case 'alter-configs':
        await admin.alterConfigs(
          action.name,
          Object.fromEntries(action.changes.map(({ key, to }) => [key, to])),
        );
        break;
      case 'keep':
        break;
    }
  }
}
