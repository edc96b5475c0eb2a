import { embeddingsDeclaration, modelDeclaration } from '../../topics/index.ts';
import { retrying } from '../adapters/backoff.ts';
import type { LogConnection } from '../adapters/connect.ts';
import { FatalError, UsageError } from '../errors/errors.ts';
import type { EventLog } from '../pipeline/ports.ts';
import { firstRecords, partitionName } from '../replay/range.ts';

const PATIENCE_MS = 3_000;

/** The topic of the relation vectors of a replay that publishes to a topic. */
export function shadowModelTopic(topic: string): string {
  return `${topic}.model`;
}

/** The topic that one replay publishes to: with two, keys of both would stay side by side, and steps would fall. */
export function shadowTopic(topic: string, connection: LogConnection, reader: EventLog) {
  const modelTopic = shadowModelTopic(topic);

  /** A message if a topic holds vectors of another space. One record a partition is enough: a replay has one space. */
  const strangerIn = async (
    name: string,
    isOwn: (space?: string) => boolean,
  ): Promise<string | undefined> => {
    const firsts = await firstRecords(reader, await reader.ranges([name]));
    const found = firsts.find((first) => first && !isOwn(first.headers?.['space']?.toString()));
    if (found === undefined) return undefined;
    return `${name} is not empty: ${partitionName(found)} has vectors of another or an earlier replay, and both would be mixed; give another topic, or delete this topic first`;
  };

  /**
   * space: of the replay's vectors; undefined where it starts from scratch. goesOn: it has committed before, and so may have published.
   * @throws UsageError if the topic or that of its relation vectors exists and is not for this replay.
   */
  const check = async (space: string | undefined, goesOn: boolean): Promise<void> => {
    const states = await connection.admin().describe([topic, modelTopic]);
    if (goesOn && !states.some((state) => state.name === topic)) {
      throw new UsageError(
        `--publish: ${topic} was deleted since the replay began, with the vectors in it; start from scratch with --restart`,
      );
    }
    for (const { name, configs } of states) {
      const policy = configs['cleanup.policy'];
      if (policy !== undefined && !policy.includes('compact')) {
        throw new UsageError(
          `--publish: ${name} has cleanup.policy=${policy}; vectors need a compacted topic: name a compacted topic, or a topic that does not exist yet`,
        );
      }
      // Relation vectors of an earlier replay are replaced one by one; records of others would stay among them.
      const isOwn = (of?: string) => (name === topic ? of === space : of !== undefined);
      // Not every broker knows a topic that was created a moment ago.
      const stranger = await retrying(() => strangerIn(name, isOwn), { until: Date.now() + PATIENCE_MS });
      if (stranger !== undefined) throw new UsageError(`--publish: ${stranger}`);
    }
  };

  return {
    check,
    /** Like `check`, and creates the topic and that of its relation vectors if they are missing. */
    make: async (graph: string, space: string, goesOn: boolean): Promise<void> => {
      await check(space, goesOn);
      await connection.admin().create([
        { ...embeddingsDeclaration(graph), name: topic },
        { ...modelDeclaration(graph), name: modelTopic },
      ]);
    },
    /** Publishes as the topic's only publisher: another replay ends with FatalError `publish-taken`. */
    published: (space: string) => {
      const confirm = async (): Promise<void> => {
        const stranger = await strangerIn(topic, (of) => of === space);
        if (stranger !== undefined) throw new FatalError('publish-taken', stranger);
      };
      const fenced = { topics: [topic, modelTopic], id: `${topic}:replay`, confirm };
      return { topic, modelTopic, sink: connection.sink({ fenced }) };
    },
  };
}
