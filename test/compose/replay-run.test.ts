import { describe, expect, test } from 'vitest';
import { checkStillThere } from '../../src/compose/replay-run.ts';
import { FatalError } from '../../src/errors/errors.ts';
import type { Offsets } from '../../src/pipeline/ports.ts';

const RECORD = {
  range: [
    { topic: 'follow', partition: 0, from: 10, until: 90 },
    { topic: 'follow', partition: 1, from: 0, until: 0 },
  ],
  topicIds: { follow: 'A' },
};

/** The code and message of the refusal. */
function refusal(
  offsets: Offsets,
  now: { id?: string; held?: [low: number, high: number] },
): string | undefined {
  const { id = 'A', held = [0, 100] } = now;
  const ranges = [
    { topic: 'follow', partition: 0, low: held[0], high: held[1] },
    { topic: 'follow', partition: 1, low: 0, high: 3 },
  ];
  try {
    checkStillThere(RECORD, offsets, { topicIds: id === '' ? {} : { follow: id }, ranges });
    return undefined;
  } catch (error) {
    if (error instanceof FatalError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

describe('a continued replay', () => {
  test('is accepted if the log still holds the rest of its range', () => {
    expect(refusal({}, {})).toBeUndefined();
    expect(refusal({}, { held: [10, 90] })).toBeUndefined();
    expect(refusal({ follow: { 0: 50 } }, { held: [50, 90] })).toBeUndefined();
    // Read to its end: whatever went since is not missed.
    expect(refusal({ follow: { 0: 90 } }, { held: [95, 95] })).toBeUndefined();
    // A log that gives its topics no ids.
    expect(refusal({}, { id: '' })).toBeUndefined();
  });

  test('is refused if a topic was deleted and recreated', () => {
    expect(refusal({}, { id: 'B' })).toMatch(/^topic-remade: follow .*its id was A and is B.*--restart\.$/);
  });

  test('is refused if records of the rest are gone', () => {
    expect(refusal({ follow: { 0: 49 } }, { held: [50, 100] })).toBe(
      'replay-gone: the replay still has to read offsets 49 to 90 of follow/0, which holds offsets 50 to 100; begin anew with --restart',
    );
    expect(refusal({}, { held: [0, 89] })).toMatch(
      /^replay-gone: .*offsets 10 to 90 .*holds offsets 0 to 89;/,
    );
  });
});
