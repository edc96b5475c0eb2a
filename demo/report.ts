import { count, cut, duration, percent, score } from './figures.ts';
import type { Example, Findings, ListFindings } from './truth.ts';
import { type GraphProgress, MAX_COLUMNS } from './view.ts';
import type { Truth } from './world.ts';

/** The figures of the final report. */
export interface DemoOutcome {
  /** The log in words: "Apache Kafka at 127.0.0.1:9092". */
  readonly log: string;
  readonly seed: number;
  readonly elapsedMs: number;
  /** Records sent, and rejected to the dead-letter topic. */
  readonly fed: number;
  readonly rejected: number;
  readonly topicPrefix: string;
  readonly truth: Truth;
  readonly graphs: readonly GraphProgress[];
  /** How well the published vectors show the planted communities, by graph. The examples come from the first graph. */
  readonly findings: readonly { readonly graph: string; readonly findings: Findings }[];
  /** What is in the lists that were served; none where nothing was. */
  readonly lists: readonly ListFindings[];
  /** URL of the page with the lists, if one is served. */
  readonly page: string | undefined;
  /** Environment that the commands need to use this demo's state, such as `TWHIN_STATE=.twhin/demo`. */
  readonly environment: readonly string[];
  /** Whether broker and updaters keep running. */
  readonly kept: boolean;
}

const NEAREST_SHOWN = 5;

/** The final report, in lines of at most 100 characters, for a reader who sees the demo for the first time. */
export function reportLines(outcome: DemoOutcome): string[] {
  const lines = [
    '',
    `Done in ${duration(outcome.elapsedMs)} on ${outcome.log} (seed ${outcome.seed}).`,
    ...wentIn(outcome),
    ...cameOut(outcome),
    ...learned(outcome),
    ...served(outcome),
    ...nextCommands(outcome),
  ];
  return lines.map((line) => cut(line, MAX_COLUMNS));
}

function wentIn({ truth, fed, rejected, topicPrefix }: DemoOutcome): string[] {
  const { actions, bad, duplicates, late, erasures } = truth.counts;
  const engagements = ['like', 'retweet', 'reply', 'quote', 'mention'].reduce(
    (sum, name) => sum + of(actions, name),
    0,
  );
  const undone = ['unlike', 'unretweet', 'unfollow', 'block'].reduce(
    (sum, name) => sum + of(actions, name),
    0,
  );
  const planted = Object.values(bad).reduce((sum, value) => sum + value, 0);
  const users = truth.users.size + truth.erased.size;
  return [
    '',
    'What went in',
    `  ${count(fed)} events of a made-up world: ${count(users)} users in ${count(truth.communities.length)} communities, ${count(truth.tweets.size)} tweets.`,
    `  ${count(of(actions, 'follow'))} follows, ${count(engagements)} engagements with tweets, ${count(of(actions, 'ad-click'))} ad clicks, ${count(of(actions, 'search'))} searches;`,
    `  ${count(undone)} follows and engagements taken back, ${count(duplicates)} delivered twice, ${count(late)} late, ${erasures} users erased.`,
    `  ${count(planted)} broken records, on purpose: ${count(rejected)} are in ${topicPrefix}dead-letter, each with its reason.`,
  ];
}

function cameOut({ graphs, topicPrefix }: DemoOutcome): string[] {
  return [
    '',
    'What came out',
    ...graphs.flatMap((graph) => [
      `  ${graph.graph}: ${count(graph.edges)} live edges between ${count(graph.entities)} entities;`,
      `    ${count(graph.published)} vectors published to ${topicPrefix}embeddings.${graph.graph};`,
      `    from event to vector ${duration(graph.p50Ms)} (median), ${duration(graph.p99Ms)} (99 %);`,
      `    each next edge ranked before it was learned, MRR ${score(graph.mrr)} (by popularity ${score(graph.mrrPopularity)}, by chance ${score(graph.mrrChance)}).`,
    ]),
  ];
}

function learned({ findings }: DemoOutcome): string[] {
  const first = findings[0];
  if (first === undefined) return [];
  return [
    '',
    "Do the vectors show the communities, which the model never saw? Of each user's nearest accounts",
    ...findings.map(({ graph, findings: { share, chance, ratio } }) => {
      return `  ${graph}: ${percent(share)} share the user's community, ${percent(chance)} would by chance: ${ratio.toFixed(1)} times chance.`;
    }),
    '',
    `${count(first.findings.examples.length)} users and their nearest accounts (+ same community, - another; cosine)`,
    ...first.findings.examples.map(exampleLine),
  ];
}

function served({ lists }: DemoOutcome): string[] {
  if (lists.length === 0) return [];
  return [
    '',
    "And the lists that twhin serve makes? Of ten entities, so many are of the user's communities",
    ...lists.map(
      ({ surface, share, popularity, chance }) =>
        `  ${surface}: ${percent(share)}; of what is popular ${percent(popularity)}, by chance ${percent(chance)}.`,
    ),
  ];
}

function exampleLine({ user, community, second, nearest }: Example): string {
  const shown = nearest.slice(0, NEAREST_SHOWN).map((neighbour) => {
    return `${neighbour.sameCommunity ? '+' : '-'}${neighbour.user} ${score(neighbour.cosine)}`;
  });
  const shared = nearest.filter(({ sameCommunity }) => sameCommunity).length;
  const who = `${user} (${community}${second === undefined ? '' : `, ${second}`})`;
  return `  ${who.padEnd(27)} ${shown.join(' ')}  ${shared} of ${nearest.length}`;
}

function nextCommands({ findings, environment, kept, page }: DemoOutcome): string[] {
  const graph = findings[0]?.graph ?? 'engagement';
  // Without --keep the demo's broker has ended, so its address is left out.
  const lasts = (variable: string): boolean => kept || !variable.startsWith('KAFKA_BROKERS=');
  const user = findings[0]?.findings.examples[0]?.user ?? '1000';
  return [
    '',
    'Try next',
    ...environment.filter(lasts).map((variable) => `  export ${variable}`),
    '  npx twhin stats',
    `  npx twhin show user:${user} --graph ${graph}`,
    ...(kept ? ['  npx twhin doctor'] : []),
    ...(kept && page !== undefined
      ? [`  ${page}/#${user}    the user's lists; a like there changes them`]
      : []),
    kept
      ? '  Broker and updaters keep running; Ctrl-C stops them.'
      : '  npm run demo -- --keep    leaves broker and updaters running',
    '  README.md says how to use your own Kafka.',
  ];
}

function of(counts: Readonly<Record<string, number>>, name: string): number {
  return counts[name] ?? 0;
}
