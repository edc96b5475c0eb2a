import type { Message } from 'kafkajs';
import { isKnownRelease } from '../known-release.ts';

let known: boolean | undefined;

/**
 * The same messages, all of one partition, such that kafkajs takes them as one group. It groups what it is handed by a
 * `reduce` that copies the whole group for each message, in time that grows with the square of their number. Its module
 * can't be replaced, since kafkajs has hold of it as soon as it is loaded; so the array answers that one call itself.
 * Source: `src/producer/groupMessagesPerPartition.js`, the only one to call `reduce` on messages.
 */
export function grouped(partition: number, messages: Message[]): Message[] {
  known ??= isKnownRelease();
  if (known) Object.defineProperty(messages, 'reduce', { value: () => ({ [partition]: messages }) });
  return messages;
}
