import { describe, expect, test } from 'vitest';
import { describeAction, planTopics, replayGaps } from '../../src/pipeline/topic-plan.ts';
import type { TopicDeclaration } from '../../topics/index.ts';

const DAY = 86_400_000;
const state = {
  name: 't',
  partitions: 4,
  configs: { 'cleanup.policy': 'delete', 'retention.ms': String(7 * DAY), 'max.message.bytes': '99' },
};
const written: TopicDeclaration = {
  name: 't',
  role: 'written',
  partitions: 4,
  configs: { 'cleanup.policy': 'delete' },
};
const events: TopicDeclaration = {
  name: 't',
  role: 'events',
  partitions: 4,
  configs: { 'cleanup.policy': 'delete', 'retention.ms': String(7 * DAY) },
};
const reasonsOf = (declared: TopicDeclaration, configs: Record<string, string>, partitions = 4) =>
  planTopics([declared], [{ name: 't', partitions, configs }]).map((action) =>
    action.kind === 'keep' ? action.reason : action,
  );

describe('plan of topics', () => {
  test('a topic as declared needs nothing, whatever else is set on it', () => {
    expect(planTopics([written], [state])).toEqual([]);
    expect(planTopics([events], [state])).toEqual([]);
    expect(planTopics([], [state])).toEqual([]);
  });

  test('a missing topic is made, in the order declared', () => {
    const other = { ...events, name: 'u' };
    expect(planTopics([other, written], [state])).toEqual([{ kind: 'create', topic: other }]);
  });
});

describe('an event topic that exists', () => {
  const longer = { 'cleanup.policy': 'delete', 'retention.ms': String(400 * DAY) };
  test.each([
    ['keeps events longer', { ...longer }, 4, []],
    ['keeps them for ever', { ...longer, 'retention.ms': '-1', 'retention.bytes': '-1' }, 4, []],
    [
      'is compacted',
      { 'cleanup.policy': 'compact', 'retention.ms': '1000' },
      4,
      ['it is compacted here: only the newest event of each key stays, and a replay reads no others'],
    ],
    ['has one partition', longer, 1, ['1 partition here, 4 declared; any number works']],
  ])('is never changed: it %s', (_, configs, partitions, reasons) => {
    expect(reasonsOf(events, configs, partitions)).toEqual(reasons);
  });

  test('and has a name of its own may have any number of partitions', () => {
    expect(reasonsOf({ ...events, role: 'named' }, longer, 12)).toEqual([]);
    expect(reasonsOf({ ...events, role: 'named' }, { ...longer, 'retention.ms': String(1.5 * DAY) })).toEqual(
      ['retention 1.5 days here, 7 days declared: a replay can only go back 1.5 days'],
    );
  });
});

describe('a topic that we write', () => {
  test('gets only the settings that differ', () => {
    const configs = { 'cleanup.policy': 'compact', 'retention.ms': String(7 * DAY), 'segment.ms': '5' };
    const plan = planTopics([{ ...written, configs }], [state]);
    expect(plan.map(describeAction)).toEqual([
      'set on t: cleanup.policy delete -> compact, segment.ms unset -> 5',
    ]);
    expect(plan).toEqual([
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

  // What is kept longer, or cleaned earlier, than declared stays as the operator set it.
  test.each([
    ['retention.ms', '100', '99', '101'],
    ['retention.ms', '100', '99', '-1'],
    ['delete.retention.ms', '100', '99', '101'],
    ['max.message.bytes', '100', '99', '101'],
    ['max.compaction.lag.ms', '100', '101', '99'],
    ['min.cleanable.dirty.ratio', '0.2', '0.5', '0.1'],
    ['segment.bytes', '100', '101', '99'],
  ])('%s %s: set over %s, and left at %s', (key, declared, set, left) => {
    const plan = (here: string) =>
      planTopics([{ ...written, configs: { [key]: declared } }], [{ ...state, configs: { [key]: here } }]);
    expect(plan(set)).toEqual([
      { kind: 'alter-configs', name: 't', changes: [{ key, from: set, to: declared }] },
    ]);
    expect(plan(left)).toEqual([]);
  });

  test('that is compacted, and should not be, is left: the change would delete old records', () => {
    const configs = { 'cleanup.policy': 'delete', 'retention.ms': String(30 * DAY) };
    const here = { 'cleanup.policy': 'compact', 'retention.ms': String(30 * DAY) };
    expect(reasonsOf({ ...written, configs }, here)).toEqual([
      'cleanup.policy is compact here, delete declared: only the newest record of each key stays. Setting it to delete also deletes what is older than 30 days, so it is left to you',
    ]);
    const both = { ...here, 'cleanup.policy': 'compact,delete' };
    expect(reasonsOf({ ...written, configs }, both)).toEqual([
      {
        kind: 'alter-configs',
        name: 't',
        changes: [{ key: 'cleanup.policy', from: 'compact,delete', to: 'delete' }],
      },
    ]);
  });

  test('keeps its partitions: with another number, keys would move', () => {
    for (const partitions of [2, 6]) {
      const reason = `4 partitions here, ${partitions} declared; any number works, and another would move keys, so that old records of a key stay beside its new ones`;
      expect(planTopics([{ ...written, partitions }], [state])).toEqual([
        { kind: 'keep', name: 't', reason },
      ]);
    }
  });

  test('with a partition for each shard can not be used with another number', () => {
    const partitionsStay = 'keys would move; declare as many as there are';
    for (const partitions of [2, 6]) {
      const actions = planTopics([{ ...written, partitions, partitionsStay }], [state]);
      const reason = `4 partitions here, ${partitions} declared; keys would move; declare as many as there are`;
      expect(actions).toEqual([{ kind: 'keep', name: 't', reason, unusable: true }]);
      expect(actions.map(describeAction)).toEqual([`leave t as it is: ${reason}`]);
    }
    expect(planTopics([{ ...written, partitionsStay }], [state])).toEqual([]);
  });
});

describe('what a replay would lack', () => {
  const topic = (name: string, more: Partial<TopicDeclaration> = {}): TopicDeclaration => ({
    ...events,
    name,
    ...more,
  });
  const as = (name: string, configs: Record<string, string>) => ({ name, partitions: 1, configs });
  const FOREVER = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' };

  test('is said once for all topics, with the way out', () => {
    const declared = [
      topic('a'),
      topic('b'),
      topic('c'),
      topic('d'),
      topic('e', { role: 'named' }),
      topic('f'),
      // Of these, nothing is said.
      topic('named', { role: 'named' }),
      { ...written, name: 'written' },
    ];
    const actual = [
      as('b', { ...FOREVER, 'retention.ms': String(400 * DAY) }),
      as('c', { ...FOREVER, 'retention.bytes': '1073741824' }),
      as('d', { 'cleanup.policy': 'compact', 'retention.ms': '5' }),
      as('e', { 'cleanup.policy': 'compact,delete', 'retention.ms': String(3_600_000) }),
      as('f', { ...FOREVER, 'retention.ms': String(7 * DAY) }),
      as('written', { 'retention.ms': '1' }),
    ];
    expect(replayGaps(declared, actual)).toEqual([
      'Events are kept for 7 days on a, f; for 400 days on b; up to 1073741824 bytes a partition on c; as the newest of each key on d; ' +
        'for 1 hour and as the newest of each key on e. A store that is rebuilt from the topics lacks older events: ' +
        'take backups with twhin backup, or raise retention.ms of the topics.',
    ]);
  });

  test('erasures that go before the events they concern are said too', () => {
    const erasure = topic('erasure', { erasures: true });
    const said = (retentionMs: string, erasedFor: string, policy = 'delete') =>
      replayGaps(
        [topic('a'), erasure],
        [
          as('a', { ...FOREVER, 'retention.ms': retentionMs }),
          as('erasure', { ...FOREVER, 'retention.ms': erasedFor, 'cleanup.policy': policy }),
        ],
      );
    expect(said('-1', '86400000')).toEqual([
      'Erasures are kept for 1 day on erasure, and events longer on a. A replay brings back what was erased before that: raise retention.ms of erasure.',
    ]);
    expect(said('-1', '-1')).toEqual([]);
    expect(said('-1', '86400000', 'compact')).toEqual([]);
    expect(said('86400000', '86400000')).toHaveLength(1);
  });
});
