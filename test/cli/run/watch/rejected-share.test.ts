import { expect, test } from 'vitest';
import { RejectedShare } from '../../../../src/cli/run/watch/rejected-share.ts';

test('is of the events between the oldest and the newest of sixty counts, and 0 where none came', () => {
  const share = new RejectedShare();
  expect(share.value).toBe(0);
  share.add({ read: 1_000, rejected: 900 });
  expect(share.value).toBe(0);
  share.add({ read: 1_100, rejected: 905 });
  expect(share.value).toBe(0.05);
  // The first count is out of the five minutes after sixty more.
  for (let i = 1; i <= 59; i++) share.add({ read: 1_100 + i, rejected: 905 + i });
  expect(share.value).toBe(1);
  const idle = new RejectedShare();
  idle.add({ read: 7, rejected: 7 });
  idle.add({ read: 7, rejected: 7 });
  expect(idle.value).toBe(0);
});
