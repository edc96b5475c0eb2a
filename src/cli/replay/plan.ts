import type { LogConnection } from '../../adapters/connect.ts';
import { freshSpace } from '../../compose/graph-updater.ts';
import { lowerPriority, type ReplayPaceOptions } from '../../compose/pace.ts';
import type { Log } from '../../log.ts';
import type { EventLog } from '../../pipeline/ports.ts';
import { partitionName, recordsIn } from '../../replay/partition.ts';
import { resolveRange } from '../../replay/range.ts';
import type { CommandContext } from '../context.ts';
import type { ReplayRecord } from './record.ts';
import type { ReplayRequest } from './request.ts';

/** What a replay reads from and reports to. */
export interface ReplayOutside {
  readonly connection: LogConnection;
  readonly reader: EventLog;
  readonly log: Log;
  readonly context: CommandContext;
}

/** What a replay that begins now is to read, with a space of its own. @throws UsageError as `resolveRange` does. */
export async function planReplay(
  { graph, topics, from, until, publish, settings, options, differences }: ReplayRequest,
  reader: EventLog,
  log: Log,
): Promise<ReplayRecord> {
  const names = { graph: graph.name, into: options.into };
  const { stretches, shortened } = await resolveRange(reader, topics, from, until);
  for (const partition of shortened) {
    log.warn({ ...names, partition: partitionName(partition), low: partition.low }, OLDER_GONE);
  }
  log.info(
    {
      ...names,
      records: recordsIn(stretches),
      settings: Object.fromEntries(differences.map(({ key, after }) => [key, after])),
    },
    'a new replay',
  );
  return {
    format: 1,
    graph: graph.name,
    from: options.from,
    until: options.until,
    publish: publish ?? null,
    settings,
    range: [...stretches],
    topicIds: { ...(await reader.topicIds(topics)) },
    space: freshSpace(),
    since: new Date().toISOString(),
    finished: null,
  };
}

/** With --cpu-share, whatever else runs on the machine goes first. */
export function yieldProcessor({ cpuShare }: ReplayPaceOptions, log: Log): void {
  if (cpuShare === undefined) return;
  lowerPriority();
  log.info({ cpuShare }, 'reading and training use this share of one core, at the lowest priority');
}

const OLDER_GONE = 'older records are gone from the log; the replay begins with the oldest record there';
export const ALL_READ =
  'all is read: ending when the rest is written and published; a second signal ends the process at once';
