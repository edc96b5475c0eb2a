import type { EventTopic } from '../../../topics/index.ts';
import type { Variant } from '../../compose/evaluation.ts';
import { topicsOf } from '../../compose/graph-updater.ts';
import { type GraphConfig, wholeGraphs } from '../../config/resolve.ts';
import { UsageError } from '../../errors/errors.ts';
import type { CommandContext } from '../context.ts';
import { topicAfter } from '../select.ts';
import { noting, readTraining, type TrainingOptions } from '../training.ts';

export interface StreamOptions extends TrainingOptions {
  readonly file?: string;
  readonly topic?: string;
  /** Share of the records that is held back, above 0 and below 1. */
  readonly holdout: number;
  readonly users: number;
  readonly json?: boolean;
}

/** The evaluation that was asked for, checked as far as possible without the log. */
export type StreamRequest = Awaited<ReturnType<typeof readStreamRequest>>;

/** @throws UsageError with a line for each problem. */
export async function readStreamRequest(
  options: StreamOptions,
  { config: load }: Pick<CommandContext, 'config'>,
) {
  const problems: string[] = [];
  const { plain, parts, set, range } = await readTraining(options, load, problems);
  const live = wholeGraphs(parts)[0] ?? parts[0];
  const fileTopic = await fileTopicOf(live, plain.topicPrefix, options, problems);
  if (problems.length > 0 || !range)
    throw UsageError.listing('the evaluation cannot be done as asked', problems);
  /** The graph with settings over those that were asked for. */
  const variant = async (name: string, settings: readonly string[]): Promise<Variant> => {
    const config = await load([...set, ...settings]);
    const graph = wholeGraphs(config.graphs).find((each) => each.name === live.name) ?? live;
    return { name, config, graph };
  };
  const current = await variant('vectors', []);
  // By their full names.
  const topics = [...topicsOf(plain, live).keys()];
  return { options, graph: current.graph, current, variant, topics, fileTopic, ...range };
}

/** The topic of the file: the graph's first, unless another is named. */
async function fileTopicOf(
  graph: GraphConfig,
  prefix: string,
  { file, topic, from, until }: StreamOptions,
  problems: string[],
): Promise<EventTopic | undefined> {
  if (file === undefined) {
    if (topic !== undefined) problems.push('--topic: says what --file holds; seen no --file');
    return undefined;
  }
  if (from !== 'earliest' || until !== 'latest')
    problems.push('--from, --until: a file is read from its start to its end; leave them out with --file');
  if (topic === undefined) return graph.topics[0];
  return noting(problems, () => topicAfter('--topic', prefix, graph.topics, topic));
}
