import { describe, expect, test } from 'vitest';
import { FatalError, RetryableError } from '../../src/errors/errors.ts';
import { Lifecycle, type LifecycleEvent, type Phase, TRANSITIONS } from '../../src/pipeline/lifecycle.ts';

/** The events that lead to each phase, by hand. */
const WAYS: Record<Phase, readonly LifecycleEvent[]> = {
  loading: [],
  joining: ['loaded'],
  standby: ['loaded', 'waits'],
  'taking-over': ['loaded', 'turn'],
  running: ['loaded', 'turn', 'writes'],
  ending: ['loaded', 'turn', 'writes', 'stop'],
  leaving: ['stop'],
  draining: ['loaded', 'turn', 'writes', 'drain'],
  stopped: ['stop', 'done'],
  failed: ['fail'],
};

/** The phases in which records are read, or will be. */
const READS: readonly Phase[] = ['loading', 'joining', 'standby', 'taking-over', 'running'];

const phases = Object.keys(WAYS) as unknown as readonly (keyof typeof WAYS)[];
const events = new Set(
  Object.values(TRANSITIONS).flatMap((of) => Object.keys(of) as unknown as readonly LifecycleEvent[]),
);

function lifecycleIn(phase: Phase): Lifecycle {
  const lifecycle = new Lifecycle();
  for (const event of WAYS[phase]) lifecycle.on(event);
  expect(lifecycle.phase).toBe(phase);
  return lifecycle;
}

describe('the lifecycle of an updater', () => {
  for (const phase of phases) {
    for (const event of events) {
      // The diagram of docs/architecture.md holds the table to account.
      const next = TRANSITIONS[phase][event];
      test(`${phase}, ${event}: ${next ?? 'refused'}`, () => {
        const lifecycle = lifecycleIn(phase);
        expect(lifecycle.allows(event)).toBe(next !== undefined);
        if (next === undefined) {
          expect(() => lifecycle.on(event)).toThrow(
            `an updater that is ${phase} refuses the event "${event}"`,
          );
        } else lifecycle.on(event);
        expect(lifecycle.phase).toBe(next ?? phase);
        expect(lifecycle.reads).toBe(READS.includes(next ?? phase));
        expect(lifecycle.ends.aborted).toBe(!lifecycle.reads);
      });
    }
  }

  test('the first failure is kept, as a FatalError', () => {
    const lifecycle = lifecycleIn('running');
    lifecycle.check();
    const first = new RetryableError('broker-unreachable', 'no broker answers');
    lifecycle.fail(first);
    lifecycle.fail(new FatalError('fenced', 'another process took over'));
    expect(() => lifecycle.check()).toThrow(
      expect.objectContaining({ code: 'fault', message: 'no broker answers', cause: first }),
    );
    const fenced = new FatalError('fenced', 'another process took over');
    const other = lifecycleIn('standby');
    other.fail(fenced);
    expect(() => other.check()).toThrow(fenced);
    expect(other.phase).toBe('failed');
  });
});
