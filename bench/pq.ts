/**
 * What quantised vectors save and lose, as Markdown: `npx node bench/pq.ts --higgs FILE [--parts 8,16,32,64] [--users N]`.
 *
 * The graph `engagement` is trained on all but the newest 15 % of Higgs, and its vectors are quantised as `twhin export --pq`
 * does. Lists of the user's new targets, by the weighted relations, are made with the vectors as they are and with decoded
 * ones; the same users, the same questions. Intervals are 95 %, by bootstrap over users.
 */
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import type { StreamPlan } from '../src/cli/evaluate/stream-plan.ts';
import { SEED, sampling } from '../src/cli/export/quantised.ts';
import { bootstrap } from '../src/evaluation/bootstrap.ts';
import { LIST_FIGURES, listFigures, rankAll } from '../src/evaluation/ranked-list.ts';
import type { Space } from '../src/evaluation/space.ts';
import { ByVectors, modelOf } from '../src/evaluation/stream/recommender.ts';
import type { Task } from '../src/evaluation/stream/split.ts';
import { CENTROIDS, ProductQuantiser } from '../src/model/product-quantiser.ts';
import { Random } from '../src/sampling/random.ts';
import { withTrainedHiggs } from './trained-higgs.ts';

const SCOPE = 'user→tweet';
/** Places of the list that are compared with the list of the vectors as they are. */
const NEAREST = 10;
/** Questions answered at once. */
const BLOCK = 16;
const RECALL20 = LIST_FIGURES.indexOf('recall20');

const { values } = parseArgs({
  options: {
    higgs: { type: 'string' },
    parts: { type: 'string', default: '8,16,32,64' },
    users: { type: 'string', default: '5000' },
  },
});
const { higgs } = values;
if (higgs === undefined) throw new Error('--higgs: expected the path of higgs-activity_time.txt.gz');

/** By task: recall@20, and the first places of the list. */
interface Lists {
  readonly recall: Float64Array;
  readonly nearest: readonly (readonly number[])[];
}

/** Vectors of a type that were quantised: how they are now, and what it took. */
interface Quantised {
  readonly decoded: Float32Array;
  readonly bytes: number;
  /** Squared error, as a share of the vectors' squared length. */
  readonly error: number;
  /** Seconds of processor time. */
  readonly training: number;
  readonly encoding: number;
}

function ranked(tasks: readonly Task[], by: ByVectors): Lists {
  const { scope } = tasks[0]!;
  const { length } = scope.pair.candidates;
  const scores = new Float64Array(BLOCK * length);
  const recall = new Float64Array(tasks.length);
  const nearest: number[][] = [];
  for (let first = 0; first < tasks.length; first += BLOCK) {
    const block = tasks.slice(first, first + BLOCK);
    const users = block.map(({ lhs }) => lhs);
    by.score(users, scope, scores.subarray(0, block.length * length));
    for (const [i, { targets, seen }] of block.entries()) {
      const { ranks, top } = rankAll(scores.subarray(i * length, (i + 1) * length), targets, seen);
      recall[first + i] = listFigures(ranks)[RECALL20]!;
      nearest.push(top.slice(0, NEAREST));
    }
  }
  return { recall, nearest };
}

/** vectors: [n, dim]. */
async function quantised(vectors: Float32Array, dim: number, parts: number): Promise<Quantised> {
  const n = vectors.length / dim;
  const random = Random.seeded(SEED);
  const pick = sampling(n, random);
  const drawn = Array.from({ length: n }, (_, i) => i).filter(pick);
  const sample = new Float32Array(drawn.length * dim);
  for (const [i, of] of drawn.entries()) sample.set(vectors.subarray(of * dim, (of + 1) * dim), i * dim);
  const began = seconds();
  const below = (most: number) => random.below(most);
  const quantiser = await ProductQuantiser.train(
    sample,
    { dim, parts },
    { below, turn: async () => undefined },
  );
  const found = seconds();
  const codes = new Uint8Array(n * parts);
  quantiser.encode(vectors, codes);
  const encoding = seconds() - found;
  const decoded = new Float32Array(vectors.length);
  quantiser.decode(codes, decoded);
  let [error, length] = [0, 0];
  vectors.forEach((value, i) => {
    error += (value - decoded[i]!) ** 2;
    length += value ** 2;
  });
  const bytes = codes.byteLength + quantiser.codebooks.byteLength;
  return { decoded, bytes, error: error / length, training: found - began, encoding };
}

function seconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function report({ read, split, tasks: drawn }: StreamPlan, space: Space): Promise<void> {
  const { dim } = space.model;
  const tasks = drawn.filter(({ scope }) => scope.name === SCOPE);
  const by = new ByVectors(modelOf(space, read.stream), split);
  const exact = ranked(tasks, by);
  const whole = new Map(
    ['user', 'tweet'].map((type) => {
      const { rows } = space.members(type);
      const vectors = new Float32Array(rows.length * dim);
      for (const [i, row] of rows.entries()) vectors.set(space.table.vector(row), i * dim);
      return [type, vectors] as const;
    }),
  );
  const put = (type: string, vectors: Float32Array) => {
    for (const [i, row] of space.members(type).rows.entries())
      space.table.vector(row).set(vectors.subarray(i * dim, (i + 1) * dim));
  };
  const counts = new Float64Array(tasks.length).fill(1);
  const tweets = space.members('tweet').rows.length;
  const users = space.members('user').rows.length;
  const mean = ({ mean: middle, low, high }: ReturnType<typeof bootstrap>[number]) =>
    `${middle.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
  const [own] = bootstrap({ counts, sums: [exact.recall] }, Random.seeded(1));
  console.log('# Quantised vectors\n');
  console.log(
    `    npx node bench/pq.ts --higgs higgs-activity_time.txt.gz --parts ${values.parts} --users ${values.users}\n`,
  );
  console.log(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores shared with other work, Node ${process.version}. Higgs but for its newest 15 %, one seed: ` +
      `${users} users, ${tweets} tweets, dim ${dim}. ${tasks.length} users are given lists of all tweets but those that they had. Held-out recall@20 of the vectors as they are: ${mean(own!)}. ` +
      `recall@10 of the nearest: share of the first ${NEAREST} of the exact list that are among the first ${NEAREST} with quantised vectors. Bytes include the codebooks, ${(4 * CENTROIDS * dim) / 1024} KiB a type. ` +
      'Processor time of one thread, for the tweets.\n',
  );
  console.log(
    '| `--pq` | quantised | bytes of all tweets | smaller by | squared error | recall@10 of the nearest | held-out recall@20 | change of it | s to find centroids | µs a vector to encode |',
  );
  console.log('|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|');
  for (const parts of values.parts.split(',').map(Number)) {
    const tweet = await quantised(whole.get('tweet')!, dim, parts);
    const user = await quantised(whole.get('user')!, dim, parts);
    for (const what of ['tweets', 'tweets and users']) {
      put('tweet', tweet.decoded);
      if (what !== 'tweets') put('user', user.decoded);
      const lists = ranked(tasks, by);
      for (const [type, vectors] of whole) put(type, vectors);
      const same = Float64Array.from(lists.nearest, (own_, task) => {
        const wanted = exact.nearest[task]!;
        return own_.filter((item) => wanted.includes(item)).length / wanted.length;
      });
      const change = lists.recall.map((value, task) => value - exact.recall[task]!);
      const [near, recall, difference] = bootstrap(
        { counts, sums: [same, lists.recall, change] },
        Random.seeded(1),
      );
      const figures = [
        tweet.bytes,
        (whole.get('tweet')!.byteLength / tweet.bytes).toFixed(1),
        (what === 'tweets' ? tweet.error : user.error).toFixed(3) + (what === 'tweets' ? '' : ' of users'),
        ...[near!, recall!, difference!].map(mean),
        tweet.training.toFixed(1),
        ((1e6 * tweet.encoding) / tweets).toFixed(1),
      ];
      console.log(`| ${parts} | ${what} | ${figures.join(' | ')} |`);
    }
  }
}

await withTrainedHiggs({ higgs, users: Number(values.users) }, ({ plan, space }) => report(plan, space));
