import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { composeEvaluation, loadSpace } from '../../compose/evaluation.ts';
import type { EdgeStream } from '../../evaluation/stream/edge-stream.ts';
import { type ListQuality, rankTasks } from '../../evaluation/stream/list-quality.ts';
import { RankedLog } from '../../evaluation/stream/ranked-edges.ts';
import { ByVectors, modelOf } from '../../evaluation/stream/recommender.ts';
import type { EventLog, Stretch } from '../../pipeline/ports.ts';
import type { RankedEdges, Triples } from '../../pipeline/training/trainer.ts';
import type { StorePlace } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import type { EvaluationProgress } from './progress.ts';
import { SEED, type StreamPlan } from './stream-plan.ts';
import type { Variant } from './stream-request.ts';

/** Candidates of each set in the prequential protocol. */
export const CANDIDATES = 1_000;
/** The first edges are learned and not ranked: a model that has seen nothing is not what is measured. */
const WARM_UP = 0.2;

/** What a trained model gave. */
export interface Measured {
  /** By name of the scope. */
  readonly lists: ReadonlyMap<string, ListQuality>;
  readonly ranked: RankedEdges;
}

export interface TrainingOutside {
  readonly eventLog: EventLog;
  /** An empty folder, which the training may fill. */
  readonly folder: string;
  readonly progress: EvaluationProgress;
  readonly context: Pick<CommandContext, 'log'>;
}

/** A model trained on a stream in a store of its own: up to the cut, where lists are ranked, and on to the end. */
export class StreamTraining {
  readonly #plan: StreamPlan;
  readonly #variant: Variant;
  readonly #outside: TrainingOutside;
  readonly #place: StorePlace;
  readonly #ranked = new RankedLog();

  constructor(plan: StreamPlan, variant: Variant, outside: TrainingOutside) {
    this.#plan = plan;
    this.#variant = variant;
    this.#outside = outside;
    this.#place = { graph: variant.graph.name, name: 'evaluation', folder: join(outside.folder, 'store') };
  }

  async measure(): Promise<Measured> {
    const { name, graph } = this.#variant;
    const { known, range, read, split, tasks } = this.#plan;
    await this.#train(known, { lhs: new Int32Array(), relation: new Int32Array(), rhs: new Int32Array() });
    const model = modelOf(await loadSpace(graph, this.#place), read.stream);
    const report = this.#outside.progress.meter(`lists ranked by ${name}`);
    const lists = await rankTasks(tasks, new ByVectors(model, split), report);
    await this.#train(range, learnedAs(model.rows, read.stream, split.cut));
    await rm(this.#place.folder, { recursive: true });
    return { lists, ranked: this.#ranked.whole() };
  }

  /** Trains the store from where it stands to the end of a range. before: what it has learned, as rows. */
  async #train(range: readonly Stretch[], before: Triples): Promise<void> {
    const { config, graph, name } = this.#variant;
    const { topicIds, read, halfLife } = this.#plan;
    const { eventLog, progress, context } = this.#outside;
    const from = Math.floor(WARM_UP * read.stream.learned);
    const replaying = await composeEvaluation(config, graph, {
      log: context.log(),
      place: this.#place,
      eventLog,
      range,
      topicIds,
      prequential: { seed: SEED, from, candidates: CANDIDATES, halfLife, before },
      onRanked: (edges) => this.#ranked.add(edges),
    });
    await progress.train(replaying, range, { graph: graph.name, model: name });
  }
}

/** The edges learned before an event, as rows of the store. */
function learnedAs(rows: Int32Array, stream: EdgeStream, until: number): Triples {
  const events: number[] = [];
  for (let event = 0; event < until; event++) {
    const known = rows[stream.lhs(event)]! >= 0 && rows[stream.rhs(event)]! >= 0;
    if (known && !stream.removes(event)) events.push(event);
  }
  return {
    lhs: Int32Array.from(events, (event) => rows[stream.lhs(event)]!),
    relation: Int32Array.from(events, (event) => stream.relation(event)),
    rhs: Int32Array.from(events, (event) => rows[stream.rhs(event)]!),
  };
}
