import { inject, test } from 'vitest';
import { deployed, follows } from './deployed.ts';
import { withAdmin } from './topic-ends.ts';
import { fold, readTopic } from './topic-reader.ts';
import { type Twhin, until, well } from './twhin.ts';

const RUN = ['run', '--graph', 'follow'];
const TO_THE_END = [...RUN, '--until-caught-up'];
const RELATIONS = 3;

/** Deletes both topics with vectors and makes them again. */
async function remake(twhin: Twhin): Promise<void> {
  const topics = ['embeddings.follow', 'model.follow'].map((name) => twhin.topic(name));
  await withAdmin(inject('brokers'), (admin) => admin.deleteTopics({ topics }));
  // A topic is gone a moment after the broker says so.
  await until('the topics to be gone', async () => {
    const planned = await twhin.ok(['topics', 'plan']);
    return topics.every((topic) => planned.includes(`create ${topic}`));
  });
  await twhin.ok(['topics', 'apply']);
}

/** Whether both topics have all: a vector of each entity, and two of each relation. */
async function isWhole(twhin: Twhin, entities: number): Promise<boolean> {
  const countOf = async (name: string) => fold(await readTopic(inject('brokers'), twhin.topic(name))).size;
  return (
    (await countOf('embeddings.follow')) === entities && (await countOf('model.follow')) === 2 * RELATIONS
  );
}

test('topics with vectors that were made again while nothing ran, under a running updater, and before a kill: all is published again', async () => {
  const twhin = await deployed();
  await twhin.ok(['topics', 'apply']);
  await twhin.feed('follow', follows(0, 500));
  await twhin.ok(TO_THE_END);
  await until('the first vectors', () => isWhole(twhin, 501));

  await remake(twhin);
  const again = well(await twhin.end(TO_THE_END));
  if (!/deleted and recreated; 501 vectors/.test(again.stderr)) throw new Error(again.stderr);
  await until('all vectors after a start', () => isWhole(twhin, 501));
  const noMore = well(await twhin.end(TO_THE_END));
  if (/recreated/.test(noMore.stderr)) throw new Error(noMore.stderr);

  const running = twhin.start(RUN);
  await until('the updater to lead', () => /leads the graph/.test(running.stderr));
  await remake(twhin);
  await until('all vectors beside a running updater', () => isWhole(twhin, 501));
  await remake(twhin);
  await until('the updater to see the new topics', () => running.stderr.split('recreated').length > 2);
  running.kill('SIGKILL');
  await running.ended;
  await twhin.ok(TO_THE_END);
  await until('all vectors after a kill', () => isWhole(twhin, 501));
});
