import { FatalError } from '../../errors/errors.ts';

/** The topics' identities, known and new. @throws FatalError when a topic is not the one that was read before. */
export function sameTopics(
  known: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  for (const [topic, id] of Object.entries(now)) {
    const before = known[topic];
    if (before === undefined || before === id) continue;
    throw new FatalError(
      'topic-remade',
      `${topic} was deleted and made again: the store has read the topic with id ${before}, the log now holds ${id}. ` +
        `Its offsets mean other records now. To keep what was learned and read the new topic from its start: twhin run --reread ${topic}. ` +
        'To learn from what the topics hold now alone: start from a fresh TWHIN_STATE.',
    );
  }
  return { ...known, ...now };
}
