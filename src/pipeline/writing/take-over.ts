import type { EntityKey } from '../../graph/entity.ts';
import type { Log } from '../../log.ts';
import { patiently } from '../patience.ts';
import type { Message, Offsets, ReadableLog, Stretch } from '../ports.ts';
import { eachRecord } from '../reading/bounded.ts';
import { readContent } from '../reading/record-content.ts';
import { followedTopics, type UpdaterOptions, writtenTopics } from '../updater-options.ts';
import type { Committer, CommitterOptions } from './committer.ts';
import { type Differing, differing } from './topic-difference.ts';
import { sameTopics } from './topic-identity.ts';
import type { Writer } from './writer.ts';

/** A pipeline in which everything in hand is committed. */
interface TakesOver extends Pick<CommitterOptions, 'index' | 'ledger' | 'writer' | 'neighbours'> {
  readonly committer: Committer;
}

/**
 * Makes this process the graph's one writer. Gives the entities to be published, beside those that are due. Nothing is trained meanwhile.
 *
 * 1. The publisher before this one is fenced.
 * 2. The topics are checked to be those that were read so far.
 * 3. The group's note tells whose vectors the topics hold. Where they are another store's, or a topic was made again, the embeddings
 * topic is compared with this store: what differs is due, under steps above all that are in the topics.
 * 4. Dead letters that the writer before did not come to are sent. Those of a shard's events are the routers'.
 *
 * Only then may the group be told how far this store is.
 * @throws FatalError `fenced`, or `topic-remade` naming both topics and the way out.
 */
export async function takeOver(
  options: UpdaterOptions,
  { index, ledger, writer, committer, neighbours }: TakesOver,
  stopping: AbortSignal,
): Promise<EntityKey[]> {
  const { graph, eventLog, leadership, sink, embeddingsTopic, log } = options;
  const { step, sendLetters } = committer;
  await sink.takeOver();
  const ids = await patiently(() => eventLog.topicIds(followedTopics(options)), stopping);
  writer.topicIds = sameTopics(writer.topicIds, ids);
  const { offsets: committed, note } = await leadership.committed();
  tellOfDifferences(graph, committed, ledger.offsets('committed'), log);
  const written = await patiently(() => eventLog.topicIds(writtenTopics(options)), stopping);
  const remade = writer.madeAgain(written);
  writer.writesTo(written);
  const isNoted = note !== undefined && writer.wrote(note, step);
  if (isNoted && remade.length === 0) {
    writer.epoch++;
    return [];
  }

  const found = await compare(options, { index, neighbours }, stopping);
  const { space = '', epoch } = found;
  // Without a note, the vectors themselves tell whose they are.
  const own = isNoted || (note === undefined && writer.wrote({ space, epoch, step: found.step }, step));
  writer.epoch = Math.max(writer.epoch, note?.epoch ?? 0, epoch) + 1;
  if (!own) writer.stepBase = Math.max(writer.stepBase, found.step + 1);
  if (remade.length > 0) tellOfRemade(options, remade, found.keys.length);
  else if (!own && found.records > 0 && found.keys.length > 0)
    tell(graph, embeddingsTopic, found, writer, log);
  const missed =
    own || options.neighbourhood.together ? [] : missedBy(committed, ledger.offsets('committed'));
  await patiently(() => sendMissedLetters(options, missed, sendLetters), stopping);
  return found.keys;
}

/** How the topics with vectors differ from the store. */
export function compare(
  options: UpdaterOptions,
  { index, neighbours }: Pick<TakesOver, 'index' | 'neighbours'>,
  stopping: AbortSignal,
): Promise<Differing> {
  const { reader, store, trainer } = options;
  const owns = (key: EntityKey) => neighbours.owns(key);
  const topics = writtenTopics(options);
  return patiently(() => differing(reader, topics, store.layout, trainer, index, owns), stopping);
}

export function tellOfRemade(
  { graph, log }: UpdaterOptions,
  topics: readonly string[],
  republished: number,
): void {
  log.warn(
    { graph, topics, republished },
    `${topics.join(', ')}: deleted and recreated; ${republished} vectors and all relation vectors are published again`,
  );
}

function tell(graph: string, topic: string, found: Differing, writer: Writer, log: Log): void {
  const { records, step, keys } = found;
  log.warn(
    { graph, topic, records, highestStep: step, republished: keys.length, epoch: writer.epoch },
    `${topic} holds vectors of another store or a later commit; ${keys.length} are published again, above step ${step}`,
  );
}

/** Tells whoever watches the group's lag that the store's offsets count: a line for each topic and side. */
function tellOfDifferences(graph: string, committed: Offsets, stored: Offsets, log: Log): void {
  for (const [topic, partitions] of Object.entries(committed)) {
    const own = stored[topic] ?? {};
    const differences = Object.entries(partitions)
      .map(([partition, offset]) => ({ partition, records: (own[Number(partition)] ?? 0) - offset }))
      .filter(({ records }) => records !== 0);
    // A new store, or a topic after --reread: somebody asked for it.
    if (differences.length > 0 && Object.keys(own).length === 0) {
      log.info({ graph, topic }, `the store has no offsets of ${topic}, so the topic is read from its start`);
      continue;
    }
    for (const side of ['behind', 'ahead of'] as const) {
      const these = differences.filter(({ records }) => records > 0 === (side === 'behind'));
      if (these.length === 0) continue;
      const records = these.reduce((sum, each) => sum + Math.abs(each.records), 0);
      const names = these.map(({ partition }) => partition).join(', ');
      log.warn(
        { graph, topic, committed: partitions, stored: own },
        `the group's committed offsets of ${topic} are ${records} records ${side} the store's (partitions: ${names}); the store's count`,
      );
    }
  }
}

/**
 * The stretches that this store has read and the group's last writer had not committed: dead letters of these were
 * not written.
 */
function missedBy(committed: Offsets, read: Offsets): Stretch[] {
  return Object.entries(read).flatMap(([topic, partitions]) =>
    Object.entries(partitions).flatMap(([partition, until]) => {
      const from = committed[topic]?.[Number(partition)] ?? 0;
      return from < until ? [{ topic, partition: Number(partition), from, until }] : [];
    }),
  );
}

/**
 * Reads these stretches once more and sends their dead letters: a standby or a shadow reads bad records without
 * writing dead letters. Records that retention removed are left out. send: resolves once the letters are
 * acknowledged.
 */
async function sendMissedLetters(
  options: Pick<UpdaterOptions, 'reader' | 'topics' | 'limits' | 'deadLetter'>,
  missed: readonly Stretch[],
  send: (letters: readonly Message[]) => Promise<void>,
): Promise<void> {
  if (missed.length === 0) return;
  const { reader, topics, limits, deadLetter } = options;
  await eachRecord(reader, await held(reader, missed), async (records) => {
    const letters = records.flatMap((record) => {
      const { problem } = readContent(record, topics, limits);
      const letter = problem && deadLetter(record, problem);
      return letter ? [letter] : [];
    });
    if (letters.length > 0) await send(letters);
  });
}

/** The parts of the stretches that the log still holds. */
async function held(reader: ReadableLog, stretches: readonly Stretch[]): Promise<Stretch[]> {
  const ranges = await reader.ranges([...new Set(stretches.map(({ topic }) => topic))]);
  return stretches.flatMap((stretch) => {
    const { topic, partition, until } = stretch;
    const low = ranges.find((range) => range.topic === topic && range.partition === partition)?.low ?? until;
    const from = Math.max(stretch.from, low);
    return from < until ? [{ topic, partition, from, until }] : [];
  });
}
