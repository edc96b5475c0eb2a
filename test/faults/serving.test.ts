import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject } from 'vitest';
import { Random } from '../../src/sampling/random.ts';
import { embeddingHeaders, encodeVector, relationHeaders } from '../../topics/index.ts';
import { deployed } from '../e2e/deployed.ts';
import { withAdmin } from '../e2e/topic-ends.ts';
import { SMALL, until } from '../e2e/twhin.ts';
import type { Faulty } from './deployment.ts';
import { drawKill, withFailpoints } from './failpoints/plan.ts';
import { withProducer } from './load/direct.ts';
import { type LoadRecord, MIXED } from './load/load.ts';
import { form, type SeededContext, seeded } from './seeded.ts';
import { entitiesOf, nearestOf, publishedVectors, Served } from './served.ts';

const DIM = 16;
const TWEETS = 60;

seeded(
  'broken records are skipped, counted and named, aborted ones never seen; a recreated topic ends serve, saying what to do',
  async () => {
    const brokers = inject('brokers');
    const here = await deployed(SMALL);
    await here.ok(['topics', 'apply']);
    const topic = here.topic('embeddings.engagement');
    const random = Random.seeded(1);
    const vector = () => Float32Array.from({ length: DIM }, () => random.uniform() - 0.5);
    const common = { graph: 'engagement', dim: DIM, dtype: 'float32', step: 1, at: 1, epoch: 1 } as const;
    const of = { ...common, fingerprint: 'f', space: 's' };
    const record = (key: string, value: Buffer, headers: Record<string, string>, to = topic) => {
      return { topic: to, key, value, headers };
    };
    const send = (records: readonly ReturnType<typeof record>[]) => {
      const byTopic = Map.groupBy(records, (each) => each.topic);
      const topicMessages = [...byTopic].map(([to, messages]) => ({ topic: to, messages }));
      return withProducer(brokers, {}, (producer) => producer.sendBatch({ topicMessages }));
    };
    const whole = embeddingHeaders(of);
    const relation = relationHeaders({
      ...of,
      trained: true,
      scorer: 'transe-l2',
      beta: 9,
      lhs: 'user',
      rhs: 'tweet',
    });
    const model = here.topic('model.engagement');
    const names = ['user:u', ...Array.from({ length: TWEETS }, (_, i) => `tweet:${i}`)];
    const user = vector();
    await send([
      record('relation:likes', encodeVector(new Float32Array(DIM)), relation, model),
      ...names.map((name) => record(name, encodeVector(name === 'user:u' ? user : vector()), whole)),
    ]);
    const served = await Served.start(here);
    await served.ready();
    const before = await served.home('u');
    expect(before).toMatchObject({ status: 200, body: { fallback: null, staleSince: null } });
    const [best = ''] = entitiesOf(before);

    // As somebody else's producer could write them; each would change the list, were it taken.
    const notANumber = Buffer.from(encodeVector(user));
    notANumber.writeFloatLE(Number.NaN, 8);
    const broken: readonly [string, ReturnType<typeof record>][] = [
      ['holds 15 numbers', record(best, Buffer.alloc(60), whole)],
      [
        'the vectors of its space have 16',
        record('relation:likes', Buffer.alloc(60), { ...relation, dim: '15' }, model),
      ],
      ['not finite', record('tweet:nan', notANumber, whole)],
      ['not an entity', record('no entity', encodeVector(user), whole)],
      ['header dtype is missing', record('tweet:bare', encodeVector(user), {})],
      ['of the graph other', record('tweet:other', encodeVector(user), { ...whole, graph: 'other' })],
    ];
    await send(broken.map(([, each]) => each));
    const skipped = () => served.metric('twhin_serve_skipped_records_total');
    await until('all are skipped', async () => (await skipped()) === broken.length);
    for (const [reason] of broken) expect(served.running.stderr).toContain(reason);
    expect((await served.home('u')).body.items).toEqual(before.body.items);

    // The nearest there could be, in a transaction that is aborted; what comes after it is seen.
    const config = { transactionalId: `${here.prefix}aborts`, idempotent: true, maxInFlightRequests: 1 };
    await withProducer(brokers, config, async (producer) => {
      const transaction = await producer.transaction();
      const messages = [0, 1, 2, 3].map((partition) => {
        return { key: `tweet:aborted${partition}`, partition, value: encodeVector(user), headers: whole };
      });
      await transaction.send({ topic, messages });
      expect((await served.home('u')).body.items).toEqual(before.body.items);
      await transaction.abort();
    });
    await send([record('tweet:late', encodeVector(user), whole)]);
    await until('what comes after it', async () => entitiesOf(await served.home('u')).includes('tweet:late'));
    expect(entitiesOf(await served.home('u'))).toEqual(['tweet:late', ...entitiesOf(before).slice(0, -1)]);

    // Stopped meanwhile, so that it finds the new topic, and not that there is none.
    served.running.kill('SIGSTOP');
    await withAdmin(brokers, async (admin) => {
      await admin.deleteTopics({ topics: [topic] });
      await until('the topic is gone', async () => !(await admin.listTopics()).includes(topic));
    });
    await here.ok(['topics', 'apply']);
    served.running.kill('SIGCONT');
    const { code, stderr } = await served.running.ended;
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`[topic-remade] ${topic} was deleted and recreated`),
    ]);
    expect(stderr).toContain('Start twhin serve again: it reads the new topic from its start.');
  },
);

/** Tweets and users that only `known` events name: what the load does never makes or erases one. */
const KNOWN = 20;
const LIKES = 3;
const known = (n: number): string => `known${n}`;

/** Events of a deployment's own, beside its load. */
function record(topic: string, key: string, event: object): LoadRecord {
  return { n: 0, topic, key, value: JSON.stringify(event) };
}

/** A deployment with vectors of the known entities, under load, with its updater. */
async function underLoad(deploy: SeededContext['deploy']): Promise<Faulty> {
  const faulty = await deploy({
    graphs: ['engagement'],
    load: { ...MIXED, bad: 0 },
  });
  // So few of each user that of some all are erased: without an edge, a user is asked by what all do.
  const likes = Array.from({ length: KNOWN * LIKES }, (_, i) => {
    const user = i % KNOWN;
    const [userId, tweetId] = [known(user), known((user * 7 + Math.floor(i / KNOWN)) % KNOWN)];
    return record('engagement', userId, { userId, tweetId, action: 'like', at: Date.UTC(2024, 0, 1) + i });
  });
  await faulty.feeder.sendAll(likes);
  await faulty.feeder.send(500);
  await faulty.catchUp();
  return faulty;
}

/** Asks all the while, until `stop`; an answer for which `wrong` gives a reason is remembered. */
class Asker {
  readonly wrong: string[] = [];
  answers = 0;
  refusals = 0;
  served: Served;
  /** Entities that a list lacked after their erasure: from then on none may have them. */
  readonly gone = new Set<string>();
  #asking = true;
  readonly #loop: Promise<void>;

  constructor(served: Served) {
    this.served = served;
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#asking = false;
    await this.#loop;
  }

  async #run(): Promise<void> {
    for (let n = 0; this.#asking; n++) {
      const gone = [...this.gone];
      const { served } = this;
      const asked =
        n % 2 === 0 ? served.similar(`tweet:${known(KNOWN - 1)}`) : served.home(known(n % KNOWN), 500);
      // A process that is killed gives no answer.
      const reply = await asked.catch(() => undefined);
      if (reply?.status === 200) {
        this.answers++;
        const list = entitiesOf(reply);
        // Of some of the vectors, or of none.
        if (list.length < KNOWN / 2 || reply.body.fallback !== null)
          this.wrong.push(`${list.length} of ${reply.body.fallback ?? 'vectors'}`);
        this.wrong.push(...gone.filter((entity) => list.includes(entity)));
      } else if (reply?.status === 503 && Number(reply.retryAfter) > 0) this.refusals++;
      else if (reply !== undefined) this.wrong.push(`${reply.status} ${JSON.stringify(reply.body)}`);
      await sleep(10);
    }
  }
}

/** Waits until lists are those of the topic, seen by a reader apart from ours. */
async function likeTheTopic(faulty: Faulty, served: Served): Promise<void> {
  const vectors = await publishedVectors(faulty.brokers, faulty.twhin.topic('embeddings.engagement'));
  for (const entity of [`tweet:${known(KNOWN - 1)}`, `user:${known(0)}`]) {
    const nearest = nearestOf(entity, vectors).slice(0, 500);
    expect(nearest.length).toBeGreaterThan(KNOWN);
    await expect.poll(async () => entitiesOf(await served.similar(entity))).toEqual(nearest);
  }
}

seeded(
  'serve killed and started again under load: no answer before all is read, nothing erased comes back, unchanged vectors give the same answers',
  async ({ dice, deploy, proxies }) => {
    const faulty = await underLoad(deploy);
    const before = await proxies();
    const through = { KAFKA_BROKERS: before.through };
    const updater = faulty.run();
    faulty.feeder.start(200);
    let served = await Served.start(faulty.twhin, through);
    await served.ready();
    const asker = new Asker(served);
    for (let cycle = 0; cycle < form(3, KNOWN / 2); cycle++) {
      const erased = known(cycle);
      expect(entitiesOf(await served.similar(`tweet:${known(KNOWN - 1)}`))).toContain(`tweet:${erased}`);
      const erasure = { entity: `tweet:${erased}`, at: Date.now() };
      await faulty.feeder.sendAll([record('erasure', erasure.entity, erasure)]);
      await until(`${erased} is gone`, async () => (await served.similar(erasure.entity)).status === 404);
      asker.gone.add(erasure.entity);
      await sleep(dice.between(0, 1_000));
      await served.kill();
      // So slow that it can be asked in the middle of its reading.
      before.change({ bytesPerS: 30_000 });
      served = await Served.start(faulty.twhin, through);
      asker.served = served;
      const { answers } = asker;
      await until('it reads', async () => (await served.metric('twhin_serve_lag_records')) > 0);
      const asked = asker.refusals;
      await until('requests while it reads', () => asker.refusals > asked + 20);
      expect(asker.answers).toBe(answers);
      const early = await served.home(known(1));
      expect(early).toMatchObject({ status: 503, retryAfter: '1' });
      expect(early.body.error).toMatch(/^not ready: .*% of the vectors are read/);
      before.change({});
      await served.ready();
      await until('answers again', () => asker.answers > answers + 2);
    }
    await faulty.feeder.stop();
    await faulty.caughtUp();
    await updater.stop();
    await likeTheTopic(faulty, served);
    await asker.stop();
    expect(asker.wrong).toEqual([]);

    const users = Array.from({ length: KNOWN }, (_, n) => known(n));
    const lists = async () => {
      const all = [];
      for (const user of users) all.push((await served.home(user)).body);
      return all;
    };
    const asked = await lists();
    await served.kill();
    served = await Served.start(faulty.twhin);
    await served.ready();
    expect(await lists()).toEqual(asked);
    for (const entity of asker.gone) expect((await served.similar(entity)).status).toBe(404);
  },
);

seeded(
  'the updater killed while serve follows: lists go on, and then are those of the committed records',
  async ({ dice, deploy }) => {
    const faulty = await underLoad(deploy);
    const served = await Served.start(faulty.twhin);
    await served.ready();
    const asker = new Asker(served);
    for (let round = 0; round < form(4, 16); round++) {
      if (round % 2 === 0) {
        // In the middle of a transaction, or right beside one.
        await faulty.runUntilKilled(drawKill(dice, ['sink.publish']));
        continue;
      }
      faulty.feeder.start(300);
      const running = faulty.run([], { env: withFailpoints() });
      const published = await faulty.published();
      await until('vectors published', async () => (await faulty.published()) > published);
      await sleep(dice.between(0, 1_000));
      running.kill('SIGKILL');
      await running.ended;
      await faulty.feeder.stop();
    }
    const { answers } = asker;
    await until('answers without an updater', () => asker.answers > answers + 5);
    await faulty.catchUp();
    await likeTheTopic(faulty, served);
    await asker.stop();
    expect([asker.wrong, asker.refusals, served.running.over]).toEqual([[], 0, false]);
  },
);
