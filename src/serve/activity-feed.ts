import { type RecordLimits, readRecord } from '../../topics/record.ts';
import type { EventTopic } from '../../topics/topic.ts';
import { BadEvent } from '../errors/errors.ts';
import type { RecordRun, SourceRecord } from '../pipeline/ports.ts';
import type { Activity } from './activity.ts';

/** The one topic that tells a block from an unfollow: both remove the edge. */
const FOLLOW = 'follow';

/** Turns records of event topics into what users did. Records that an updater writes to the dead letters are left out. */
export class ActivityFeed {
  /** Records that can't be used. */
  rejected = 0;
  readonly #activity: Activity;
  readonly #topics: ReadonlyMap<string, EventTopic>;
  readonly #limits: RecordLimits;

  /** topics: by full name on the log. */
  constructor(activity: Activity, topics: ReadonlyMap<string, EventTopic>, limits: RecordLimits) {
    this.#activity = activity;
    this.#topics = topics;
    this.#limits = limits;
  }

  take({ topic: name, records }: RecordRun): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    for (const record of records) {
      try {
        for (const change of readRecord(topic, record, this.#limits)) {
          const removed = 'removed' in change && change.removed;
          this.#activity.take(change, removed && topic.name === FOLLOW && isBlock(record));
        }
      } catch (error) {
        if (!(error instanceof BadEvent)) throw error;
        this.rejected++;
      }
    }
  }
}

/** The record was read before, so that its value is an object. */
function isBlock({ value }: SourceRecord): boolean {
  const event: unknown = JSON.parse(value?.toString('utf8') ?? 'null');
  return typeof event === 'object' && event !== null && 'action' in event && event.action === 'block';
}
