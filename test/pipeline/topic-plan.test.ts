import { describe, expect, test } from 'vitest';
import { describeAction, planTopics } from '../../src/pipeline/topic-plan.ts';

const state = {
  name: 't',
  partitions: 4,
  configs: { 'cleanup.policy': 'delete', 'retention.ms': '1000', 'max.message.bytes': '99' },
};
const declared = {
  name: 't',
  role: 'written' as const,
  partitions: 4,
  configs: { 'cleanup.policy': 'delete' },
};

describe('plan of topics', () => {
  test('a topic as declared needs nothing, whatever else is set on it', () => {
    expect(planTopics([declared], [state])).toEqual([]);
    expect(planTopics([], [state])).toEqual([]);
  });

  test('a missing topic is made, in the order declared', () => {
    const other = { ...declared, name: 'u' };
    expect(planTopics([other, declared], [state])).toEqual([{ kind: 'create', topic: other }]);
  });

  test('only what differs is set', () => {
    const configs = { 'cleanup.policy': 'compact', 'retention.ms': '1000', 'segment.ms': '5' };
    expect(planTopics([{ ...declared, configs }], [state])).toEqual([
      {
        kind: 'alter-configs',
        name: 't',
        changes: [
          { key: 'cleanup.policy', from: 'delete', to: 'compact' },
          { key: 'segment.ms', from: undefined, to: '5' },
        ],
      },
    ]);
  });

  test('partitions grow, and are never taken away', () => {
    expect(planTopics([{ ...declared, partitions: 6 }], [state])).toEqual([
      { kind: 'add-partitions', name: 't', from: 4, to: 6 },
    ]);
    expect(planTopics([{ ...declared, partitions: 2 }], [state])).toEqual([
      { kind: 'keep', name: 't', reason: expect.stringContaining('has 4 partitions, 2 declared') },
    ]);
  });

  test('partitions that must stay neither grow nor shrink', () => {
    const partitionsStay = 'keys would move; declare as many as there are';
    for (const partitions of [2, 6]) {
      const actions = planTopics([{ ...declared, partitions, partitionsStay }], [state]);
      const reason = `has 4 partitions, ${partitions} declared; keys would move; declare as many as there are`;
      expect(actions).toEqual([{ kind: 'keep', name: 't', reason, unusable: true }]);
      expect(actions.map(describeAction)).toEqual([`leave t as it is: ${reason}`]);
    }
    expect(planTopics([{ ...declared, partitionsStay }], [state])).toEqual([]);
  });

  test('each action reads as one line', () => {
    expect(describeAction({ kind: 'create', topic: { ...declared, name: 'u' } })).toBe(
      'create u: 4 partitions, cleanup.policy=delete',
    );
    expect(
      describeAction({ kind: 'alter-configs', name: 't', changes: [{ key: 'a', from: undefined, to: 'b' }] }),
    ).toBe('set on t: a unset -> b');
  });
});
