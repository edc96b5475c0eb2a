/**
 * What it gains to let idle tweets of a home list decay, as Markdown:
 * `npx node bench/decay.ts --higgs FILE [--users N] [--half-lives 1h,3h,…] [--idle 6h,…]`.
 *
 * The graph `engagement` is trained on all but the newest 15 % of Higgs. Each user's new targets are ranked among all tweets by the
 * weighted relations, as served: without any decay, with `decay=` and with `idle=`. Time ends with the cut. Intervals are 95 %, by
 * bootstrap over users; the last column is the lead over no decay, user by user. Then lists are made as they are served, by scans: what
 * they cost, and whether they are those of the ranking.
 */
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import type { StreamPlan } from '../src/cli/evaluate/stream-plan.ts';
import type { Interval } from '../src/evaluation/bootstrap.ts';
import { rankAll } from '../src/evaluation/ranked-list.ts';
import { scopeFigures } from '../src/evaluation/stream/list-figures.ts';
import { type ListQuality, rankTasks } from '../src/evaluation/stream/list-quality.ts';
import { ByVectors, modelOf, type Recommender } from '../src/evaluation/stream/recommender.ts';
import type { Scope, Task } from '../src/evaluation/stream/split.ts';
import { rowMarks } from '../src/kernels/scan/scan.ts';
import { Scanner } from '../src/kernels/scan/scanner.ts';
import { ScanTable } from '../src/kernels/scan/table.ts';
import { Random } from '../src/sampling/random.ts';
import { decayedTop } from '../src/serve/decayed-top.ts';
import type { Asking } from '../src/serve/looks.ts';
import { type WeightedQuery, type WeightedRow, weightedTop } from '../src/serve/weighted-top.ts';
import { type TrainedHiggs, withTrainedHiggs } from './trained-higgs.ts';

const SCOPE = 'user→tweet';
/** Lists that are made as served, and how long they are. */
const [LISTS, LENGTH] = [200, 20];
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

const { values } = parseArgs({
  options: {
    higgs: { type: 'string' },
    users: { type: 'string', default: '5000' },
    'half-lives': { type: 'string', default: '7d,3d,1d,12h,6h,3h,1h,15m' },
    idle: { type: 'string', default: '3d,1d,12h,6h' },
  },
});
const { higgs } = values;
if (higgs === undefined) throw new Error('--higgs: expected the path of higgs-activity_time.txt.gz');

function msOf(text: string): number {
  return Number.parseInt(text, 10) * UNITS[text.slice(-1)]!;
}

/** [candidates] how long before the cut an event named each candidate last, ms. */
function agesOf({ read: { stream }, split: { cut } }: StreamPlan, scope: Scope): Float64Array {
  const last = new Map<number, number>();
  let now = 0;
  for (let event = 0; event < cut; event++) {
    const at = stream.at(event);
    now = Math.max(now, at);
    for (const entity of [stream.lhs(event), stream.rhs(event)])
      last.set(entity, Math.max(last.get(entity) ?? 0, at));
  }
  return Float64Array.from(scope.pair.candidates, (entity) => now - (last.get(entity) ?? 0));
}

/** Another recommender's scores, the model's factor included, minus what each candidate loses by its age. */
class Minus implements Recommender {
  readonly #of: Recommender;
  readonly #beta: number;
  readonly #loss: Float64Array;

  /** loss: [candidates] */
  constructor(of: Recommender, beta: number, loss: Float64Array) {
    this.#of = of;
    this.#beta = beta;
    this.#loss = loss;
  }

  score(users: readonly number[], scope: Scope, out: Float64Array): void {
    this.#of.score(users, scope, out);
    const { length } = this.#loss;
    for (let k = 0; k < out.length; k++) out[k] = this.#beta * out[k]! - this.#loss[k % length]!;
  }
}

async function report({ plan, space, beta }: TrainedHiggs): Promise<void> {
  const tasks = plan.tasks.filter(({ scope }) => scope.name === SCOPE);
  const { scope } = tasks[0]!;
  const { stream } = plan.read;
  const ages = agesOf(plan, scope);
  const by = new ByVectors(modelOf(space, stream), plan.split);
  const ranked = async (loss: Float64Array): Promise<ListQuality> => {
    const quality = await rankTasks(tasks, new Minus(by, beta, loss), async () => undefined);
    return quality.get(SCOPE)!;
  };
  const plain = await ranked(ages.map(() => 0));
  const others: Record<string, ListQuality> = {};
  for (const text of values['half-lives'].split(','))
    others[`\`decay=${text}\``] = await ranked(ages.map((age) => (Math.LN2 * age) / msOf(text)));
  for (const text of values.idle.split(','))
    others[`\`idle=${text}\``] = await ranked(ages.map((age) => (age > msOf(text) ? 1e9 : 0)));
  const { ways, lead, users, candidates } = scopeFigures(
    { scope: SCOPE, candidates: scope.pair.candidates.length },
    [plain],
    others,
    Random.seeded(1),
  );
  const shown = ({ mean, low, high }: Interval) =>
    `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
  const hours = (ms: number) => (ms / UNITS['h']!).toFixed(1);
  const sorted = ages.toSorted();
  const lasts = stream.at(stream.length - 1) - stream.at(plan.split.cut - 1);
  console.log('# Home lists whose idle tweets decay\n');
  console.log(
    `    npx node bench/decay.ts --higgs higgs-activity_time.txt.gz --users ${values.users} --half-lives ${values['half-lives']} --idle ${values.idle}\n`,
  );
  console.log(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}. Higgs but for its newest 15 %, one seed: ${users} users, ${candidates} tweets. ` +
      `At the cut, half of the tweets were named by an event within ${hours(sorted[candidates >> 1]!)} h, a tenth within ${hours(sorted[Math.floor(candidates / 10)]!)} h; ` +
      `what is foretold happens in the ${hours(lasts)} h after it. ` +
      'Ranked is the score, the factor `beta` of the model included, minus ln 2 for each half-life that passed since an event named the tweet last.\n',
  );
  console.log(
    '|  | recall@10 | recall@20 | recall@50 | coverage | ahead of no decay at recall@20 |\n|---|---:|---:|---:|---:|---:|',
  );
  for (const [name, { figures, coverage }] of Object.entries(ways)) {
    // The lead is that of the first way, no decay, over the other.
    const own = lead[name]?.['recall20'];
    const ahead = own === undefined ? '' : shown({ mean: -own.mean, low: -own.high, high: -own.low });
    const recalls = ['recall10', 'recall20', 'recall50'].map((figure) => shown(figures[figure]!));
    console.log(
      `| ${[name === 'vectors' ? 'no decay' : name, ...recalls, coverage.toFixed(3), ahead].join(' | ')} |`,
    );
  }
  const lists = new Lists({ plan, space, beta }, scope);
  const some = tasks.slice(0, LISTS);
  console.log(
    `\n${some.length} of these lists as served, ${LENGTH} tweets each. Processor time of one thread, which scans too; a look is a pass over the tweets.\n`,
  );
  console.log("|  | ms a list | looks a list | in the ranking's list too, % |\n|---|---:|---:|---:|");
  const halfLives = values['half-lives'].split(',');
  for (const text of ['', ...halfLives]) {
    const losses = text === '' ? undefined : ages.map((age) => (Math.LN2 * age) / msOf(text));
    const ranking = new Minus(by, beta, losses ?? ages.map(() => 0));
    const scores = new Float64Array(candidates);
    const ranked = some.map(({ lhs, seen }) => {
      ranking.score([lhs], scope, scores);
      return rankAll(scores, new Int32Array(), seen).top;
    });
    // The first lists are slower: code is compiled meanwhile.
    lists.cost(some.slice(0, 20), losses, ranked);
    const { ms, looks, same } = lists.cost(some, losses, ranked);
    const cells = [text === '' ? 'no decay' : `\`decay=${text}\``, ms.toFixed(2), looks.toFixed(1)];
    console.log(`| ${[...cells, (100 * same).toFixed(1)].join(' | ')} |`);
  }
}

/** What served lists of one kind cost. */
interface Cost {
  readonly ms: number;
  readonly looks: number;
  /** Entities of all lists that are in the ranking's first places, as a share. */
  readonly same: number;
}

/** Lists of tweets for users, by their relations, made as they are served. */
class Lists {
  readonly #table: ScanTable;
  readonly #scanner: Scanner;
  readonly #trained: TrainedHiggs;

  constructor(trained: TrainedHiggs, scope: Scope) {
    const { plan, space } = trained;
    const { candidates } = scope.pair;
    this.#trained = trained;
    this.#table = new ScanTable({ dim: space.model.dim, maxRows: candidates.length, scanners: 1 });
    candidates.forEach((entity, item) => {
      const row = space.rowOf(plan.read.stream.entities[entity]!);
      if (row !== undefined) this.#table.write(item, space.table.vector(row).subarray(0, space.model.dim));
    });
    this.#scanner = new Scanner(this.#table, space.model.scorer, 'wasm-plain');
  }

  /** The user's vector moved by each relation. */
  #queries(user: number, scope: Scope): WeightedQuery[] {
    const { space, plan } = this.#trained;
    const { entities, relations } = plan.read.stream;
    const own = space.table.vector(space.rowOf(entities[user]!)!);
    return weightsOf(user, scope).map(({ relation, weight }) => {
      const of = space.table.vector(space.relationRow(relations[relation]!.name, false));
      return { vector: Float64Array.from({ length: space.model.dim }, (_, k) => own[k]! + of[k]!), weight };
    });
  }

  /** losses: [candidates]; undefined: nothing decays. */
  cost(
    tasks: readonly Task[],
    losses: Float64Array | undefined,
    ranked: readonly (readonly number[])[],
  ): Cost {
    const { space, beta } = this.#trained;
    const scored = {
      table: this.#table,
      scorer: space.model.scorer,
      beta,
      nameOf: (row: number) => `${row}`,
    };
    const marked = rowMarks(this.#table.rows);
    let [looks, same] = [0, 0];
    const answer = (asking: Asking<WeightedRow[]>) => {
      let step = asking.next({ lists: [], ranks: [] });
      while (step.done !== true) {
        looks++;
        const look = step.value;
        const lists = look.kind === 'top' ? this.#scanner.top(look.queries, look.depth) : [];
        step = asking.next({ lists, ranks: [] });
      }
      return step.value;
    };
    const asked = tasks.map(({ lhs, scope }) => this.#queries(lhs, scope));
    const began = process.cpuUsage();
    for (const [i, { seen }] of tasks.entries()) {
      const queries = asked[i]!;
      const rows = answer(
        losses === undefined
          ? weightedTop(scored, queries, seen, LENGTH)
          : decayedTop(scored, queries, seen, LENGTH, marked, losses),
      ).map(({ row }) => row);
      same += rows.filter((row) => ranked[i]?.includes(row)).length / rows.length / tasks.length;
    }
    const { user, system } = process.cpuUsage(began);
    return { ms: (user + system) / 1e3 / tasks.length, looks: looks / tasks.length, same };
  }
}

/** The user's own live edges of each relation, as shares; those of all users where there are none. */
function weightsOf(user: number, { pair, relations }: Scope): { relation: number; weight: number }[] {
  const { lhs, relation } = pair.live;
  const countsOf = (fits: (edge: number) => boolean) => {
    const counts = new Map<number, number>();
    for (let i = 0; i < lhs.length; i++)
      if (relations.includes(relation[i]!) && fits(i))
        counts.set(relation[i]!, (counts.get(relation[i]!) ?? 0) + 1);
    return counts;
  };
  const own = countsOf((i) => lhs[i] === user);
  const counts = own.size > 0 ? own : countsOf(() => true);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return [...counts].map(([of, count]) => ({ relation: of, weight: count / total }));
}

await withTrainedHiggs({ higgs, users: Number(values.users) }, report);
