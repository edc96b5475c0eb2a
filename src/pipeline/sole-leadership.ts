import type { Leadership, Shares } from './ports.ts';

/** Leadership where there is no group to lead: the store's lock alone makes this process the one writer. */
export const soleLeadership: Leadership = {
  join: async () => {},
  commit: async () => {},
  committed: async () => ({ offsets: {} }),
  confirm: async () => {},
  stop: async () => {},
};

/** Shares where there is no group: every partition is this process's, from the first record that is kept at each start. */
export function soleShares(): Shares {
  const ending = new AbortController();
  const share = { ended: ending.signal, has: () => true, position: () => undefined, done: () => undefined };
  return { work: (on) => on(share), stop: async () => ending.abort() };
}
