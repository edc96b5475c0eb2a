import { type RecordLimits, readRecord } from '../../topics/record.ts';
import type { EventTopic } from '../../topics/topic.ts';
import { BadEvent } from '../errors/errors.ts';
import type { EntityKey } from '../graph/entity.ts';
import type { RecordRun, SourceRecord } from '../pipeline/ports.ts';
import type { Activity } from './activity.ts';

/** Turns records of event topics into what users did. Records that an updater writes to the dead letters are left out. */
export class ActivityFeed {
  /** Records that can't be used. */
  rejected = 0;
  /** From which time of the log on all events are known, epoch ms; 0 where the log still has the first ones. */
  since = 0;
  readonly #begun = new Set<string>();
  readonly #activity: Activity;
  readonly #topics: ReadonlyMap<string, EventTopic>;
  readonly #limits: RecordLimits;

  readonly #active: (entity: EntityKey, at: number) => void;

  /** topics: by full name on the log; active: told of each entity that an event names, and of the event's time. */
  constructor(
    activity: Activity,
    topics: ReadonlyMap<string, EventTopic>,
    limits: RecordLimits,
    active: (entity: EntityKey, at: number) => void = () => undefined,
  ) {
    this.#active = active;
    this.#activity = activity;
    this.#topics = topics;
    this.#limits = limits;
  }

  take({ topic: name, partition, records }: RecordRun): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    this.#begin(`${name}/${partition}`, records[0]);
    for (const record of records) {
      try {
        for (const change of readRecord(topic, record, this.#limits)) {
          if ('lhs' in change) {
            this.#active(change.lhs, change.at);
            this.#active(change.rhs, change.at);
          }
          // A log without timestamps has -1.
          this.#activity.take(change, record.timestamp < 0 ? change.at : record.timestamp);
        }
      } catch (error) {
        if (!(error instanceof BadEvent)) throw error;
        this.rejected++;
      }
    }
  }

  /** Where the first records of a partition are gone, what they said is not known. */
  #begin(partition: string, first: SourceRecord | undefined): void {
    if (first === undefined || this.#begun.has(partition)) return;
    this.#begun.add(partition);
    if (first.offset > 0) this.since = Math.max(this.since, first.timestamp);
  }
}
