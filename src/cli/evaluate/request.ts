import { type EventTopic, fullName, topicNamed } from '../../../topics/index.ts';
import type { Variant } from '../../compose/evaluation.ts';
import { PLACES } from '../../config/overrides.ts';
import type { GraphConfig } from '../../config/resolve.ts';
import { wholeGraphs } from '../../config/resolve.ts';
import { UsageError } from '../../errors/errors.ts';
import { type Bound, readRange } from '../../replay/bound.ts';
import { liveSettings } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import { selectParts } from '../select.ts';

/** The options as typed on the command line. */
export interface StreamOptions {
  readonly graph?: string;
  readonly from: string;
  readonly until: string;
  readonly file?: string;
  readonly topic?: string;
  /** Share of the records that is held back, above 0 and below 1. */
  readonly holdout: number;
  readonly users: number;
  readonly set: readonly string[];
  readonly json?: boolean;
}

/** The evaluation that was asked for, checked as far as possible without the log. */
export interface StreamRequest {
  readonly options: StreamOptions;
  readonly graph: GraphConfig;
  /** The graph with the settings that were asked for. */
  readonly current: Variant;
  /** The graph with settings over those that were asked for. */
  readonly variant: (name: string, settings: readonly string[]) => Promise<Variant>;
  /** Full names of the topics that are read. */
  readonly topics: readonly string[];
  /** The topic that the events of the file are of; absent without a file. */
  readonly fileTopic: EventTopic | undefined;
  readonly from: Bound;
  readonly until: Bound;
}

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
  const fileTopic = fileTopicOf(live, plain.topicPrefix, options, problems);
  const topics = live.topics.map((topic) => fullName(plain.topicPrefix, topic));
  const reading = { nowMs: Date.now(), topics: live.topics, prefix: plain.topicPrefix };
  const range = readRange(options, reading, problems);
  if (problems.length > 0 || !range)
    throw UsageError.listing('the evaluation cannot be done as asked', problems);
  const set = [...liveSettings(parts), ...options.set];
  const variant = async (name: string, settings: readonly string[]): Promise<Variant> => {
    const config = await load([...set, ...settings]);
    return {
      name,
      config,
      graph: wholeGraphs(config.graphs).find((graph) => graph.name === live.name) ?? live,
    };
  };
  const current = await variant('vectors', []);
  return { options, graph: current.graph, current, variant, topics, fileTopic, ...range };
}

/** The topic of the file: the graph's first, unless another is named. */
function fileTopicOf(
  graph: GraphConfig,
  prefix: string,
  { file, topic, from, until }: StreamOptions,
  problems: string[],
): EventTopic | undefined {
  if (file === undefined) {
    if (topic !== undefined) problems.push('--topic: says what --file holds; seen no --file');
    return undefined;
  }
  if (from !== 'earliest' || until !== 'latest')
    problems.push('--from, --until: a file is read from its start to its end; leave them out with --file');
  const found = topic === undefined ? graph.topics[0] : topicNamed(prefix, graph.topics, topic);
  if (found === undefined) {
    const known = graph.topics.map(({ name }) => name).join(', ');
    problems.push(`--topic: ${graph.name} reads ${known}; seen ${JSON.stringify(topic)}`);
  }
  return found;
}
