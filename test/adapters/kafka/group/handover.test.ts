import { describe, expect, test } from 'vitest';
import { Handover } from '../../../../src/adapters/kafka/group/handover.ts';
import type { SourceReader } from '../../../../src/pipeline/ports.ts';

/** A handover to a reader that stands at `position()`, beside a log whose ends are `highs`, one for each time it is asked. */
function handover(position: () => number, highs: readonly number[]): Handover {
  let asked = 0;
  const reader: SourceReader = { position, accept: () => true, failed: () => undefined };
  const admin = { ranges: async () => new Map([[0, { low: 0, high: highs[asked++] ?? 0 }]]) };
  return new Handover({ admin, topics: ['events'], reader, stopping: new AbortController().signal });
}

describe('what is compared with the log before reading', () => {
  test('a standby that read on while the log was asked is not beyond its end', async () => {
    let position = 10;
    // 10 was the end when the log was asked; 11 was there and read before the answer was looked at.
    const reading = handover(() => ++position, [10, 12]);
    await reading.check();
  });

  test('a position beyond an end that was asked for after it is refused', async () => {
    await expect(handover(() => 20, [10, 10]).check()).rejects.toThrow(
      /20 of events\/0 is outside .* 0 to 10/,
    );
  });
});
