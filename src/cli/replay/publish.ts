import { setTimeout as pause } from 'node:timers/promises';
import { embeddingsDeclaration } from '../../../topics/index.ts';
import { backoffMs } from '../../adapters/backoff.ts';
import type { Log as EventLog } from '../../adapters/connect.ts';
import { FatalError, RetryableError, UsageError } from '../../errors/errors.ts';
import type { LogReader, Sink } from '../../pipeline/ports.ts';
import { partitionName } from '../../replay/partition.ts';
import { firstRecords } from '../../replay/sample.ts';

const ATTEMPTS = 5;

/** A replay as its topic knows it. */
export interface TopicOwner {
  readonly graph: string;
  /** Of its vectors; undefined: one that is to begin anew, whose vectors have no name yet. */
  readonly space: string | undefined;
  /** It has committed, and so may have published. */
  readonly goesOn: boolean;
}

/**
 * The topic that a replay publishes to, and no other: of two in one topic, keys of the one would stay beside the
 * other's, and steps would fall.
 */
export class ShadowTopic {
  readonly #name: string;
  readonly #connection: EventLog;
  readonly #reader: LogReader;

  constructor(name: string, connection: EventLog, reader: LogReader) {
    this.#name = name;
    this.#connection = connection;
    this.#reader = reader;
  }

  /** @throws UsageError when there is a topic of that name that is not for this replay: with the way out. */
  async check({ space, goesOn }: TopicOwner): Promise<void> {
    const name = this.#name;
    const [there] = await this.#connection.admin().describe([name]);
    if (there === undefined) {
      if (!goesOn) return;
      throw new UsageError(
        'publish',
        `--publish: ${name} is gone since the replay began, and with it what was published; begin anew with --restart`,
      );
    }
    const policy = there.configs['cleanup.policy'];
    if (policy !== undefined && !policy.includes('compact')) {
      throw new UsageError(
        'publish',
        `--publish: ${name} is there with cleanup.policy=${policy}; vectors go to a compacted topic: name one that is, or that is not there yet`,
      );
    }
    const stranger = await this.#patiently(() => this.#stranger(space));
    if (stranger !== undefined) throw new UsageError('publish', `--publish: ${stranger}`);
  }

  /** As `check`, and makes the topic where it is missing. */
  async make(owner: TopicOwner): Promise<void> {
    await this.check(owner);
    await this.#connection.admin().create([{ ...embeddingsDeclaration(owner.graph), name: this.#name }]);
  }

  /**
   * Publishes to it as its one publisher: another replay that does is put out, and whoever publishes first has the
   * topic. The other ends with FatalError `publish-taken`.
   */
  sink(space: string): Sink {
    const confirm = async (): Promise<void> => {
      const stranger = await this.#stranger(space);
      if (stranger !== undefined) throw new FatalError('publish-taken', stranger);
    };
    return this.#connection.sink({ fenced: { topic: this.#name, id: `${this.#name}:replay`, confirm } });
  }

  /** Of a topic that was made a moment ago, by whomever, not every broker knows yet. */
  async #patiently<T>(ask: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof RetryableError) || attempt === ATTEMPTS) throw error;
        await pause(backoffMs(attempt));
      }
    }
  }

  /** What it says of vectors that are not of `space`; one of each partition tells, since all are of one replay. */
  async #stranger(space: string | undefined): Promise<string | undefined> {
    const ranges = await this.#reader.ranges([this.#name]);
    const firsts = await firstRecords(this.#reader, ranges);
    const found = firsts.find((first) => first && first.headers?.['space']?.toString() !== space);
    if (found === undefined) return undefined;
    return `${this.#name} is not empty: ${partitionName(found)} has what another replay or an earlier one published. Both would be mixed; give another topic, or delete this one first`;
  }
}
