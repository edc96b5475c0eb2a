import type { SourceRecord } from '../pipeline/ports.ts';

/**
 * The time a record is replayed at, epoch ms: its event's own, the earliest where its changes differ. One that can't
 * be used, or does nothing to the graph, is put where the log dates it.
 */
export function eventTime({ content, timestamp }: SourceRecord): number {
  const changes = content?.changes ?? [];
  return changes.length === 0 ? timestamp : changes.reduce((first, { at }) => Math.min(first, at), Infinity);
}
