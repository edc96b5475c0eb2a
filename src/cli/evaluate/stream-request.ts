import { type EventTopic, engagement, fullName, topicNamed } from '../../../topics/index.ts';
import type { EventFormat } from '../../adapters/event-file/event-file.ts';
import { PLACES } from '../../config/overrides.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { wholeGraphs } from '../../config/whole-graphs.ts';
import { UsageError } from '../../errors/errors.ts';
import { type Bound, readBound } from '../../replay/bound.ts';
import { liveSettings } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import { selectParts } from '../select.ts';

/** The options as typed on the command line. */
export interface StreamOptions {
  readonly graph?: string;
  readonly from: string;
  readonly until: string;
  readonly file?: string;
  readonly format?: EventFormat;
  readonly topic?: string;
  /** Share of the records that is held back, above 0 and below 1. */
  readonly holdout: number;
  readonly users: number;
  readonly seeds: number;
  readonly set: readonly string[];
  readonly paper: boolean;
  /** Whether edges are ranked before they are learned; they are unless said. */
  readonly prequential?: boolean;
  /** Updaters that the graph is cut into; 1 unless said. */
  readonly shards?: number;
  /** Whether lists are also made by several interests of a user. */
  readonly interests?: boolean;
  /** Passes of a model that is trained like a batch; none unless said. */
  readonly passes?: number;
  readonly json?: boolean;
}

/** A model that is trained and measured: the graph's settings with one seed, or the paper's preset. */
export interface Variant {
  readonly name: string;
  readonly config: Config;
  readonly graph: GraphConfig;
}

/** The evaluation that was asked for, checked as far as possible without the log. */
export interface StreamRequest {
  readonly options: StreamOptions;
  readonly config: Config;
  readonly graph: GraphConfig;
  /** One for each seed. */
  readonly own: readonly Variant[];
  /** The preset twhin; absent where it was left out, or is the graph's own. */
  readonly paper: Variant | undefined;
  /** The graph with settings over those that were asked for. */
  readonly variant: (name: string, settings: readonly string[]) => Promise<Variant>;
  /** Full names of the topics that are read. */
  readonly topics: readonly string[];
  /** The topic that the events of the file are of; absent without a file. */
  readonly fileTopic: EventTopic | undefined;
  readonly from: Bound;
  readonly until: Bound;
}

const PAPER = 'preset=twhin';

/** @throws UsageError with a line for each problem. */
export async function readStreamRequest(
  options: StreamOptions,
  { config: load }: Pick<CommandContext, 'config'>,
): Promise<StreamRequest> {
  const plain = await load();
  const parts = selectParts(plain, options.graph);
  const live = wholeGraphs(parts)[0] ?? parts[0];
  const problems: string[] = [];
  for (const each of options.set.filter((setting) => PLACES.test(setting))) {
    problems.push(`--set: an evaluation reads where the live graph does; seen ${JSON.stringify(each)}`);
  }
  if ((options.shards ?? 1) > 1 && options.prequential !== false && options.seeds > 1) {
    problems.push(
      `--shards: seeds are compared edge by edge, and shards do not rank edges in the same order twice; give --seeds 1 or --no-prequential too; seen --seeds ${options.seeds}`,
    );
  }
  const fileTopic = fileTopicOf(live, plain.topicPrefix, options, problems);
  const topics = live.topics.map((topic) => fullName(plain.topicPrefix, topic));
  const reading = { nowMs: Date.now(), topics: live.topics, prefix: plain.topicPrefix };
  const from = readBound('--from', options.from, reading, problems);
  const until = readBound('--until', options.until, reading, problems);
  if (problems.length > 0 || !from || !until) {
    throw new UsageError(
      `the evaluation cannot be done as asked; nothing was started:\n${problems.map((each) => `  ${each}`).join('\n')}`,
    );
  }
  const set = [...liveSettings(parts), ...options.set];
  const variant = async (name: string, settings: readonly string[]): Promise<Variant> => {
    const config = await load([...set, ...settings]);
    return {
      name,
      config,
      graph: wholeGraphs(config.graphs).find((graph) => graph.name === live.name) ?? live,
    };
  };
  const first = await variant('vectors', []);
  const own = [first];
  for (let seed = 1; seed < options.seeds; seed++) {
    own.push(await variant('vectors', [`training.seed=${first.graph.trainer.seed + seed}`]));
  }
  const paper = await variant('preset twhin', [PAPER]);
  const differs = JSON.stringify(paper.graph.trainer) !== JSON.stringify(first.graph.trainer);
  const { config, graph } = first;
  const asked = { options, config, graph, own, variant, topics, fileTopic, from, until };
  return { ...asked, paper: options.paper && differs ? paper : undefined };
}

/** The topic of the file: the graph's first, unless another is named. */
function fileTopicOf(
  graph: GraphConfig,
  prefix: string,
  { file, format, topic, from, until }: StreamOptions,
  problems: string[],
): EventTopic | undefined {
  if (file === undefined) {
    if (format !== undefined || topic !== undefined)
      problems.push('--format, --topic: they say what --file holds; seen no --file');
    return undefined;
  }
  if (from !== 'earliest' || until !== 'latest')
    problems.push('--from, --until: a file is read from its start to its end; leave them out with --file');
  const found = topic === undefined ? graph.topics[0] : topicNamed(prefix, graph.topics, topic);
  if (found === undefined) {
    const known = graph.topics.map(({ name }) => name).join(', ');
    problems.push(`--topic: ${graph.name} reads ${known}; seen ${JSON.stringify(topic)}`);
  } else if (format === 'higgs' && found.name !== engagement.name) {
    problems.push(`--format higgs holds ${engagement.name} events; ${graph.name} reads ${found.name} here`);
  }
  return found;
}
