import { expect, test } from 'vitest';
import { rememberingFaults } from '../../src/watch/watch.ts';
import { keptLog } from '../pipeline/faulty-sink.ts';

test('warnings and errors still reach the log, and are kept with graph and reason', () => {
  const kept = keptLog();
  const { log, faults } = rememberingFaults(kept);
  log.info({ graph: 'follow' }, 'ready');
  log.warn({ graph: 'follow', reasons: ['a', 'b'] }, 'not ready');
  log.error({ reason: 'no space left' }, 'the store stopped');
  expect(kept.lines.map(({ message }) => message)).toEqual(['ready', 'not ready', 'the store stopped']);
  expect(faults).toMatchObject([
    { level: 'warn', text: 'follow: not ready: a,b', times: 1 },
    { level: 'error', text: 'the store stopped: no space left', times: 1 },
  ]);
});

test('a repeated fault is one entry with the newest time and text', () => {
  const { log, faults } = rememberingFaults(keptLog());
  for (let attempt = 1; attempt <= 3; attempt++) {
    log.warn({ graph: 'follow', reason: `attempt ${attempt}` }, 'trying again');
    log.warn({ graph: 'engagement', reason: `attempt ${attempt}` }, 'trying again');
  }
  expect(faults).toMatchObject([
    { text: 'follow: trying again: attempt 3', times: 3 },
    { text: 'engagement: trying again: attempt 3', times: 3 },
  ]);
});

test('the kept faults are bounded in number and length', () => {
  const { log, faults } = rememberingFaults(keptLog());
  for (let i = 0; i < 100; i++) log.warn({}, `${'x'.repeat(i)} ${'y'.repeat(1_000)}`);
  expect(faults).toHaveLength(30);
  expect(faults.every(({ text }) => text.length <= 300)).toBe(true);
});
