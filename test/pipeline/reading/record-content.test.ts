import { expect, test } from 'vitest';
import { REJECTIONS, readContent } from '../../../src/pipeline/reading/record-content.ts';
import { DEFAULT_LIMITS } from '../../../topics/record.ts';

test('a record of a topic that its graph does not read is rejected, under a code that is listed', () => {
  const record = { topic: 'other', partition: 0, offset: 0, timestamp: 1, key: null, value: null };
  const { changes, problem } = readContent(record, new Map(), DEFAULT_LIMITS);
  expect([changes, problem?.code]).toEqual([[], 'unknown-topic']);
  expect(REJECTIONS).toContain(problem?.code);
  // And all of the wire contract's.
  expect(REJECTIONS).toHaveLength(16);
});
