import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../src/adapters/connect.ts';
import { EvaluationProgress } from '../src/cli/evaluate/progress.ts';
import { planStream, type StreamPlan } from '../src/cli/evaluate/stream-plan.ts';
import { readStreamRequest } from '../src/cli/evaluate/stream-request.ts';
import { terminal } from '../src/cli/output.ts';
import { composeEvaluation, loadSpace } from '../src/compose/evaluation.ts';
import { loadConfig } from '../src/config/load.ts';
import type { Space } from '../src/evaluation/space.ts';
import { silentLog } from '../src/log.ts';
import type { EventLog } from '../src/pipeline/ports.ts';
import { measured } from './child.ts';
import { fill } from './e2e/fill.ts';

const COMMAND = join(import.meta.dirname, '..', 'bin', 'twhin.js');
const GRAPH = 'engagement';

/** The graph `engagement`, trained on all but the newest 15 % of Higgs. */
export interface TrainedHiggs {
  readonly plan: StreamPlan;
  readonly space: Space;
  /** Factor on scores, which a space leaves out. */
  readonly beta: number;
}

/** Trains in a folder of its own, which is deleted once `use` is done. higgs: path of the file; users: at most so many have tasks. */
export async function withTrainedHiggs(
  { higgs, users }: { readonly higgs: string; readonly users: number },
  use: (trained: TrainedHiggs) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'twhin-higgs-'));
  const env = {
    ...process.env,
    KAFKA_BROKERS: `file:${join(folder, 'log')}`,
    TWHIN_STATE: join(folder, 'state'),
  };
  try {
    await measured([COMMAND, 'topics', 'apply'], env);
    await fill({ higgs }, { address: env.KAFKA_BROKERS, command: COMMAND, work: folder });
    const load = (set: readonly string[] = []) => loadConfig(env, folder, set);
    const connection = await connect((await load()).kafka);
    const eventLog = connection.log();
    try {
      await use(await trained(folder, eventLog, load, users));
    } finally {
      await eventLog.close();
      await connection.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function trained(
  folder: string,
  eventLog: EventLog,
  load: (set?: readonly string[]) => ReturnType<typeof loadConfig>,
  users: number,
): Promise<TrainedHiggs> {
  const { signal: stopping } = new AbortController();
  const progress = new EvaluationProgress(GRAPH, { log: () => silentLog, output: terminal, stopping });
  const options = { from: 'earliest', until: 'latest', holdout: 0.15, users, seeds: 1 };
  const request = await readStreamRequest(
    { ...options, graph: GRAPH, set: [], paper: false },
    { config: load },
  );
  const plan = await planStream(request, eventLog, progress);
  const { config, graph } = request.own[0]!;
  const place = { graph: GRAPH, name: 'higgs', folder: join(folder, 'store') };
  await mkdir(place.folder, { recursive: true });
  const before = { lhs: new Int32Array(), relation: new Int32Array(), rhs: new Int32Array() };
  const replaying = await composeEvaluation(config, graph, {
    log: silentLog,
    place,
    eventLog,
    range: plan.known,
    topicIds: plan.topicIds,
    // Nothing is ranked while it is trained.
    prequential: { seed: 1, from: Number.MAX_SAFE_INTEGER, candidates: 1, halfLife: plan.halfLife, before },
    onRanked: () => undefined,
  });
  await progress.train(replaying, plan.known, {});
  return { plan, space: await loadSpace(graph, place), beta: graph.trainer.model.beta };
}
