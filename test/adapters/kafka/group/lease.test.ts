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

/** A heartbeat that took this long, and is confirmed now. */
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
  // Runs after everything else that is ready.
  return Promise.race([answered, new Promise<'waits'>((resolve) => setImmediate(() => resolve('waits')))]);
}

describe('a lease', () => {
  test('counts from when the heartbeat was sent, not from its answer', async () => {
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

  test.each(['stands still', 'is set back'])('ends on time although one of the clocks %s', async (how) => {
    lease.open();
    heartbeat(10);
    // The machine was suspended, and its monotonic clock stood still; or someone set the wall clock back.
    if (how === 'stands still') vi.setSystemTime(Date.now() + LEASE_MS);
    else {
      vi.advanceTimersByTime(LEASE_MS);
      vi.setSystemTime(Date.now() - LEASE_MS);
    }
    expect(await state(lease.confirm(false))).toBe('waits');
  });

  test('a fresh confirmation needs a heartbeat sent after the call', async () => {
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

  test('without a confirmed heartbeat nothing is confirmed, however often leadership begins', async () => {
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

  test('a call between two memberships waits for the next membership', async () => {
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

  test('present and later callers get the error that ended the lease', async () => {
    const end = new Error('taken over');
    const waits = lease.confirm(true);
    waits.catch(() => undefined);
    lease.end(end);
    expect(await state(waits)).toBe(end);
    expect(await state(lease.confirm(false))).toBe(end);
  });
});
