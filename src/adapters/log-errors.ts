import { FatalError, LogRefusal, RetryableError, wayOn } from '../errors/errors.ts';
import type { Partition, PartitionRange, Position } from '../pipeline/ports.ts';

export function topicsMissing(missing: readonly string[], address: string): FatalError {
  const message = `topics missing at ${address}: ${missing.join(', ')}; twhin topics apply creates them, and says what to do about topics of others`;
  return new FatalError('topics-missing', message);
}

export function topicMissing(topic: string, address: string): RetryableError {
  const message = `no topic ${topic} at ${address}; create it with: twhin topics apply`;
  return new RetryableError('topic-missing', message);
}

export function leaderless(names: readonly string[]): RetryableError {
  const message = `no broker leads ${names.join(', ')} at the moment; look at the brokers`;
  return new RetryableError('no-leader', message);
}

/** The error of a topic that was made again while it was read. Who reads it next compares ids, and says what to do. */
export function remade(topic: string, before: string, now: string): FatalError {
  const message = `${topic} was deleted and recreated: its id was ${before} and is ${now}, so its offsets mean other records; start this command again`;
  return new FatalError('topic-remade', message);
}

/** The error of an offset that was to be read next and that the log does not hold, nor will. */
export function notHeld(offset: number, range: PartitionRange): LogRefusal {
  const { topic, partition, low, high } = range;
  const message = `offset ${offset} of ${topic}/${partition} is to be read next, but the log holds ${low} to ${high}; ${causeOf(offset, range)}`;
  return new LogRefusal('offset-out-of-range', topic, message);
}

/** The error of a log that holds other records than those that were read. position: up to which was read. end: of its epoch in the log. */
export function diverged({ topic, partition }: Partition, position: Position, end: Position): LogRefusal {
  const { offset, epoch } = position;
  const part = end.epoch === epoch ? `ends at offset ${end.offset}` : 'is not there';
  const message =
    `${topic}/${partition} was read up to offset ${offset} of leader epoch ${epoch}, and in the log this epoch ${part}: records that were read are lost, and others may ` +
    `have their offsets. The brokers lost the end of the log, by an unclean leader election or an older volume. ${wayOn(topic)}`;
  return new LogRefusal('log-diverged', topic, message);
}

/** Why an offset is outside of a range of a topic that has the id that it had. */
function causeOf(offset: number, { topic, low }: PartitionRange): string {
  const what =
    offset < low
      ? 'retention took the records in between: raise retention.ms.'
      : 'the brokers lost the end of the log, by an unclean leader election or an older volume.';
  return `${what} ${wayOn(topic)}`;
}

export function partitionMissing(topic: string, partition: number, partitions: number): FatalError {
  const message = `${topic}/${partition} is to be read, but the topic has ${partitions} partitions; was it deleted and recreated?`;
  return new FatalError('partition-missing', message);
}

/** The error of whoever waits for records of a reader that was closed. */
export function readerClosed(): RetryableError {
  return new RetryableError('stopped', 'the reader was closed while records were awaited; open another');
}

/** The leader of a group as the brokers see it. */
export interface GroupLeader {
  readonly clientId: string;
  readonly host: string;
  /** It led before as well, and was there to say so as the group was last joined. */
  readonly holdsOn: boolean;
}

/** The error of a process that must not lead beside another one. leader: that process, where the brokers tell. */
export function groupInUse(
  groupId: string,
  leader: GroupLeader | undefined,
  why = 'or start this one with --standby',
): FatalError {
  const who = leader === undefined ? '' : ` (client ${leader.clientId} at ${leader.host})`;
  const message = `another process leads group ${groupId}${who}: stop that process first, ${why}`;
  return new FatalError('group-in-use', message);
}

/** The error of a process whose place in its group was taken under its own instance id. */
export function instanceTaken(groupId: string): FatalError {
  const message = `another process joined group ${groupId} under the instance id of this state folder: the folder is used twice, or was copied. Stop one of the two processes; in a copied folder, delete the file instance-id of the graph first`;
  return new FatalError('fenced', message);
}

/** The error of a process whose group was given to another. awayMs: since it last asked to stay in the group. */
export function fenced(groupId: string, awayMs: number): FatalError {
  const seconds = Math.round(awayMs / 1000);
  const message = `another process took over group ${groupId} while this one was away for about ${seconds} s (frozen, or cut off from the brokers): it must not write any more; start it again, as a standby`;
  return new FatalError('fenced', message);
}
