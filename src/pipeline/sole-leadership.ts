import type { Leadership } from './ports.ts';

/** Leadership where there is no group to lead: the store's lock alone makes this process the one writer. */
export const soleLeadership: Leadership = {
  join: async () => {},
  commit: async () => {},
  committed: async () => ({ offsets: {} }),
  confirm: async () => {},
  stop: async () => {},
};
