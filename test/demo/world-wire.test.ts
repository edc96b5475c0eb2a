import { expect, test } from 'vitest';
import { createWorld, type WorldEvent, type WorldOptions } from '../../demo/world.ts';
import { BAD_KINDS, badRecord } from '../../demo/world-bad.ts';
import { BadEvent } from '../../src/errors/errors.ts';
import { type EdgeState, type GraphChange, judge, type Verdict } from '../../src/graph/edge.ts';
import { EVENT_TOPICS, REASONS, readRecord } from '../../topics/index.ts';

const UNTIL = Date.UTC(2026, 4, 1);
const OPTIONS: WorldOptions = { seed: 11, events: 20_000, users: 1000, communities: 10, until: UNTIL };

/** The reason of the wire contract that each kind of bad record must give. */
const MEANT: Readonly<Record<string, string>> = {
  'not-json': 'not-json',
  'not-utf8': 'not-json',
  'wrong-shape': 'wrong-shape',
  'unknown-action': 'unknown-action',
  'too-large': 'too-large',
  'no-instant': 'bad-instant',
  'not-positive': 'bad-instant',
  seconds: 'looks-like-seconds',
  future: 'in-the-future',
  'null-value': 'null-value',
  'empty-id': 'empty-id',
  'long-id': 'id-too-long',
  'control-character': 'control-characters',
  'unsafe-integer': 'unsafe-integer',
  'deep-nesting': 'too-deep',
  'proto-field': 'forbidden-field',
  'proto-action': 'unknown-action',
};

/** The content that the pipeline reads from a record that arrives just after the world's end. */
function outcome({ topic, value }: WorldEvent): readonly GraphChange[] | string {
  const found = EVENT_TOPICS.find(({ name }) => name === topic);
  if (found === undefined) throw new Error(`no topic ${topic}`);
  try {
    return readRecord(found, { value, timestamp: UNTIL + 1000 });
  } catch (error) {
    if (error instanceof BadEvent) return error.code;
    throw error;
  }
}

test.each(BAD_KINDS.map((kind, n) => [kind, n] as const))('%s is refused for its own reason', (kind, n) => {
  expect(outcome(badRecord(n, '1000', UNTIL))).toBe(MEANT[kind]);
});

test('the kinds of bad records cover every reason for a rejection', () => {
  // mapping-failed is a fault of a topic's definition, not of an event.
  expect([...new Set(Object.values(MEANT)), 'mapping-failed'].sort()).toEqual([...REASONS].sort());
});

test('exactly the bad records are rejected; the others are edges or erasures', () => {
  const { truth, events } = createWorld(OPTIONS);
  const refused: Record<string, number> = {};
  for (const event of events) {
    const result = outcome(event);
    if (typeof result === 'string') refused[result] = (refused[result] ?? 0) + 1;
    else expect(result.length).toBeGreaterThan(0);
  }
  const meant: Record<string, number> = {};
  for (const [kind, count] of Object.entries(truth.counts.bad)) {
    const reason = MEANT[kind] ?? kind;
    meant[reason] = (meant[reason] ?? 0) + count;
  }
  expect(refused).toEqual(meant);
});

test('duplicates are equal byte for byte, and late records change nothing', () => {
  const { truth, events } = createWorld(OPTIONS);
  const seen = new Set<string>();
  const edges = new Map<string, EdgeState>();
  const verdicts: Record<Verdict, number> = { new: 0, newer: 0, duplicate: 0, late: 0 };
  let repeated = 0;
  for (const event of events) {
    const changes = outcome(event);
    if (typeof changes === 'string') continue;
    const bytes = `${event.topic}|${event.key}|${event.value}`;
    if (seen.has(bytes)) repeated++;
    seen.add(bytes);
    const change = changes[0];
    if (change === undefined || 'erased' in change) continue;
    const name = `${change.lhs} ${change.relation} ${change.rhs}`;
    const verdict = judge(edges.get(name), change);
    verdicts[verdict]++;
    if (verdict === 'new' || verdict === 'newer') edges.set(name, change);
  }
  const { duplicates, late } = truth.counts;
  expect(repeated).toBe(duplicates);
  expect(duplicates).toBeGreaterThan(50);
  expect(late).toBeGreaterThan(50);
  // A repetition of a superseded record counts as late too; no other record does.
  expect(verdicts.late).toBeGreaterThanOrEqual(late);
  expect(verdicts.late + verdicts.duplicate).toBe(late + duplicates);
});
