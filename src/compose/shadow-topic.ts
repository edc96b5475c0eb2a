import { embeddingsDeclaration, modelDeclaration } from '../../topics/index.ts';
import { retrying } from '../adapters/backoff.ts';
import type { LogConnection } from '../adapters/connect.ts';
import { FatalError, UsageError } from '../errors/errors.ts';
import type { EventLog, Sink } from '../pipeline/ports.ts';
import { firstRecords, partitionName } from '../replay/range.ts';

const PATIENCE_MS = 3_000;

/** The topic of the relation vectors of a replay that publishes to a topic. */
export function shadowModelTopic(topic: string): string {
  return `${topic}.model`;
}

/**
 * The topic that one replay publishes to. With two replays in one topic, keys of both would stay side by side and steps
 * would fall.
 */
export class ShadowTopic {
  readonly #name: string;
  readonly #modelTopic: string;
  readonly #connection: LogConnection;
  readonly #reader: EventLog;

  constructor(name: string, connection: LogConnection, reader: EventLog) {
    this.#name = name;
    this.#modelTopic = shadowModelTopic(name);
    this.#connection = connection;
    this.#reader = reader;
  }

  /**
   * space: of the replay's vectors; undefined where it starts from scratch. goesOn: it has committed before, and so may have published.
   * @throws UsageError if the topic or that of its relation vectors exists and is not for this replay.
   */
  async check(space: string | undefined, goesOn: boolean): Promise<void> {
    const name = this.#name;
    const states = await this.#connection.admin().describe([name, this.#modelTopic]);
    if (goesOn && !states.some((state) => state.name === name)) {
      throw new UsageError(
        `--publish: ${name} was deleted since the replay began, with the vectors in it; start from scratch with --restart`,
      );
    }
    for (const { name: each, configs } of states) {
      const policy = configs['cleanup.policy'];
      if (policy !== undefined && !policy.includes('compact')) {
        throw new UsageError(
          `--publish: ${each} has cleanup.policy=${policy}; vectors need a compacted topic: name a compacted topic, or a topic that does not exist yet`,
        );
      }
      // Relation vectors of an earlier replay are replaced one by one; records of others would stay among them.
      const isOwn = (of?: string) => (each === name ? of === space : of !== undefined);
      // Not every broker knows a topic that was created a moment ago.
      const stranger = await retrying(() => this.#stranger(each, isOwn), { until: Date.now() + PATIENCE_MS });
      if (stranger !== undefined) throw new UsageError(`--publish: ${stranger}`);
    }
  }

  /** Like `check`, and creates the topic and that of its relation vectors if they are missing. */
  async make(graph: string, space: string, goesOn: boolean): Promise<void> {
    await this.check(space, goesOn);
    await this.#connection.admin().create([
      { ...embeddingsDeclaration(graph), name: this.#name },
      { ...modelDeclaration(graph), name: this.#modelTopic },
    ]);
  }

  /**
   * How to publish to the topic as its only publisher. The replay that publishes first has the topic; another replay ends
   * with FatalError `publish-taken`.
   */
  published(space: string): { topic: string; modelTopic: string; sink: Sink } {
    const [topic, modelTopic] = [this.#name, this.#modelTopic];
    const confirm = async (): Promise<void> => {
      const stranger = await this.#stranger(topic, (of) => of === space);
      if (stranger !== undefined) throw new FatalError('publish-taken', stranger);
    };
    const fenced = { topics: [topic, modelTopic], id: `${topic}:replay`, confirm };
    return { topic, modelTopic, sink: this.#connection.sink({ fenced }) };
  }

  /** A message if the topic holds vectors of another space. One record a partition is enough: a replay has one space. */
  async #stranger(topic: string, isOwn: (space?: string) => boolean): Promise<string | undefined> {
    const ranges = await this.#reader.ranges([topic]);
    const firsts = await firstRecords(this.#reader, ranges);
    const found = firsts.find((first) => first && !isOwn(first.headers?.['space']?.toString()));
    if (found === undefined) return undefined;
    return `${topic} is not empty: ${partitionName(found)} has vectors of another or an earlier replay, and both would be mixed; give another topic, or delete this topic first`;
  }
}
