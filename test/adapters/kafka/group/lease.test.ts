import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Lease, moment } from '../../../../src/adapters/kafka/group/lease.ts';

const LEASE_MS = 5000;
let lease: Lease;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  lease = new Lease(LEASE_MS);
});
afterEach(() => {
  vi.useRealTimers();
});

/** A heartbeat that took so long, with a good answer now. */
const heartbeat = (tookMs: number) => {
  const { monotonicMs, wallMs } = moment();
  lease.renewed({ monotonicMs: monotonicMs - tookMs, wallMs: wallMs - tookMs });
};

/** Whether the call has been answered by now, and how. */
async function state(call: Promise<void>): Promise<'waits' | 'confirmed' | Error> {
  const answered = call.then(
    () => 'confirmed' as const,
    (error: Error) => error,
  );
  // After everything that is ready to run.
  return Promise.race([answered, new Promise<'waits'>((resolve) => setImmediate(() => resolve('waits')))]);
}

describe('a lease', () => {
  test('lasts from when the heartbeat was sent, not from its answer', async () => {
    lease.open();
    heartbeat(2000);
    vi.advanceTimersByTime(LEASE_MS - 2000 - 1);
    expect(await state(lease.confirm(false))).toBe('confirmed');
    vi.advanceTimersByTime(1);
    const late = lease.confirm(false);
    expect(await state(late)).toBe('waits');
    heartbeat(LEASE_MS);
    expect(await state(late)).toBe('waits');
    heartbeat(10);
    expect(await state(late)).toBe('confirmed');
  });

  test.each(['stands still', 'is set back'])('holds no longer when one of the clocks %s', async (how) => {
    lease.open();
    heartbeat(10);
    // The machine was suspended: its monotonic clock did not go on. Or someone set the wall's.
    if (how === 'stands still') vi.setSystemTime(Date.now() + LEASE_MS);
    else {
      vi.advanceTimersByTime(LEASE_MS);
      vi.setSystemTime(Date.now() - LEASE_MS);
    }
    expect(await state(lease.confirm(false))).toBe('waits');
  });

  test('freshly asked, only a heartbeat sent after the call will do', async () => {
    lease.open();
    heartbeat(10);
    const fresh = lease.confirm(true);
    vi.advanceTimersByTime(500);
    heartbeat(501);
    expect(await state(fresh)).toBe('waits');
    vi.advanceTimersByTime(500);
    heartbeat(999);
    expect(await state(fresh)).toBe('confirmed');
  });

  test('without a good answer nothing is confirmed, however often leadership begins', async () => {
    lease.open();
    const call = lease.confirm(false);
    expect(await state(call)).toBe('waits');
    expect(lease.ageMs).toBeUndefined();
    lease.close();
    lease.open();
    expect(await state(call)).toBe('waits');
    heartbeat(1);
    expect(await state(call)).toBe('confirmed');
    vi.advanceTimersByTime(700);
    expect(lease.ageMs).toBe(701);
  });

  test('between two memberships a question waits, and the next membership answers it', async () => {
    heartbeat(10);
    const call = lease.confirm(false);
    expect(await state(call)).toBe('waits');
    lease.open();
    expect(await state(call)).toBe('confirmed');
    lease.close();
    const between = lease.confirm(false);
    heartbeat(10);
    expect(await state(between)).toBe('waits');
    lease.open();
    expect(await state(between)).toBe('confirmed');
  });

  test('the error it ends with goes to whoever waits and to whoever asks later', async () => {
    const end = new Error('taken over');
    const waits = lease.confirm(true);
    waits.catch(() => undefined);
    lease.end(end);
    expect(await state(waits)).toBe(end);
    expect(await state(lease.confirm(false))).toBe(end);
  });
});
