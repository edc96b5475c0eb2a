import { setTimeout as sleep } from 'node:timers/promises';
import type { Dice } from '../dice.ts';
import { messagesOf, withProducer } from './direct.ts';
import { Load, MIXED } from './load.ts';

/**
 * The header of records whose transaction was aborted. kafkajs hands over some of them where transactions overlap, so that who
 * reads by kafkajs has to leave them out.
 */
export const ABORTED = 'aborted';

/** Longest pause between the parts of a transaction, so that others' records come to lie between them, ms. */
const PAUSE_MS = 40;
/** Most records of one part. */
const PART = 40;

/**
 * Producers that write transactions at the same time until `stopped`, about half of them aborted. Aborted events are of users
 * of their own, so that an event that was seen could not hide behind another.
 */
export async function transactions(
  brokers: string,
  prefix: string,
  dice: Dice,
  { producers, stopped }: { producers: number; stopped: AbortSignal },
): Promise<void> {
  const write = async (number: number, mine: Dice): Promise<void> => {
    const of = (name: string) => new Load(mine.fork(), { ...MIXED, bad: 0, name: `${name}${number}-` });
    const [lasting, aborted] = [of('lasting'), of('aborted')];
    const config = { transactionalId: `${prefix}${number}`, idempotent: true, maxInFlightRequests: 1 };
    await withProducer(brokers, config, async (producer) => {
      while (!stopped.aborted) {
        const lasts = mine.chance(0.5);
        const transaction = await producer.transaction();
        for (let part = mine.between(1, 4); part > 0; part--) {
          const records = (lasts ? lasting : aborted).take(mine.between(1, PART));
          for (const [topic, messages] of Map.groupBy(records, (record) => record.topic))
            await transaction.send({
              topic: `${prefix}${topic}`,
              messages: messagesOf(messages, lasts ? {} : { headers: { [ABORTED]: '' } }),
            });
          await sleep(mine.below(PAUSE_MS));
        }
        await (lasts ? transaction.commit() : transaction.abort());
      }
    });
  };
  await Promise.all(Array.from({ length: producers }, (_, number) => write(number, dice.fork())));
}
