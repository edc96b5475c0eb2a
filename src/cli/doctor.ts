import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { temporaryFolder } from '../adapters/leftovers.ts';
import { openRocksdb } from '../adapters/rocksdb/store.ts';
import { kernelOf } from '../compose/wide.ts';
import { declaredTopics } from '../config/declared-topics.ts';
import type { ConfigSource } from '../config/load.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { reasonOf } from '../errors/errors.ts';
import { fingerprint, refuseOther } from '../graph/head.ts';
import { WriteBatch } from '../graph/write-batch.ts';
import { hasSimd } from '../kernels/instance.ts';
import { reproducible } from '../kernels/select.ts';
import { loadTensorFlow } from '../kernels/tfjs/tensorflow.ts';
import { describeAction, planTopics, replayGaps, type TopicAction } from '../pipeline/topic-plan.ts';
import { readHead } from '../state/open.ts';
import { livePlace } from '../state/places.ts';
import type { CommandContext } from './context.ts';
import { count, total } from './format.ts';
import { example, JSON_HELP } from './options.ts';
import { asLive, graphsOf, withoutFile } from './select.ts';

interface Finding {
  readonly what: string;
  /** `info`: it differs from what was declared, or is worth knowing, and nothing is wrong. */
  readonly state: 'ok' | 'info' | 'FAIL';
  /** What was found or, if something is wrong, what to do. */
  readonly detail: string;
}

export function addDoctorCommand(command: Command, context: CommandContext): void {
  command
    .description('check Node, SIMD, RocksDB, brokers, topics and stores')
    .option('--json', JSON_HELP)
    .addHelpText('after', example('KAFKA_BROKERS=localhost:9092 twhin doctor'))
    .action(({ json }) => doctor(json, process.cwd(), context));
}

async function doctor(json: boolean | undefined, cwd: string, context: CommandContext): Promise<void> {
  const { config: load, output, stopping } = context;
  const config = await load();
  const findings: Finding[] = [];
  const tell = (what: string, state: Finding['state'], detail: string) => {
    findings.push({ what, state, detail });
    if (!json) output.out(`${state.padEnd(4)}  ${what.padEnd(20)} ${detail}`);
  };
  const check = async (what: string, look: () => Promise<string>, remedy = '') => {
    stopping.throwIfAborted();
    try {
      tell(what, 'ok', await look());
    } catch (error) {
      const reason = reasonOf(error).replaceAll(/\n\s*/g, ' ');
      tell(what, 'FAIL', reason + remedy);
    }
  };
  const { file } = config;
  tell(
    'configuration',
    'ok',
    file ? `${file}, with the graphs ${graphsOf(config)}` : withoutFile(config, cwd),
  );
  // The command line does not start with an older one than is needed.
  tell('Node', 'ok', process.version);
  await check('SIMD', async () => describeSimd(config));
  if (config.graphs.some(({ trainer }) => trainer.kernel === 'tfjs')) {
    await check('TensorFlow.js', async () => loadTensorFlow([cwd]).description);
  }
  const threads = Math.max(...config.graphs.map(({ trainer }) => trainer.threads));
  if (threads > 1) await check('threads', async () => describeThreads(threads, availableParallelism()));
  await check(
    'RocksDB',
    tryRocksdb,
    '; it needs Linux, macOS or Windows on x64 or arm64, and libatomic1 on Linux',
  );
  await checkLog(config, context, tell);
  for (const graph of config.graphs) {
    await check(`store ${graph.name}`, () => describeStore(config, graph, load));
  }
  stopping.throwIfAborted();
  const ok = findings.every(({ state }) => state !== 'FAIL');
  if (json) output.out(JSON.stringify({ ok, findings }));
  if (!ok) context.fail();
}

function describeSimd({ graphs }: Config): string {
  const trainers = new Map(graphs.map(({ trainer }) => [trainer.kernel, trainer]));
  if (!hasSimd() && [...trainers.keys()].some((choice) => choice !== 'reference')) {
    throw new Error(
      'WebAssembly has no SIMD on this machine; set training.kernel to reference, which is slow but needs none',
    );
  }
  const kernels = Array.from(trainers, ([choice, trainer]) => {
    const { kernel, why } = kernelOf(trainer);
    const inReplay = kernelOf(trainer, reproducible).kernel;
    return `kernel ${choice} is ${kernel}, in a replay ${inReplay}${why === undefined ? '' : ` (${why})`}`;
  });
  return kernels.join('; ');
}

function describeThreads(threads: number, cores: number): string {
  if (threads <= cores) return `${threads} train a graph, 1 in a replay; ${cores} cores`;
  throw new Error(
    `training.threads is ${threads} on ${cores} cores, and some would only wait for others; set it to ${cores} at most`,
  );
}

async function tryRocksdb(): Promise<string> {
  await using folder = temporaryFolder();
  const store = await openRocksdb(join(folder.path, 'db'));
  try {
    const batch = new WriteBatch();
    batch.put(Buffer.from('k'), Buffer.from('v'));
    await store.write(batch);
    const [value] = await store.getMany([Buffer.from('k')]);
    if (value?.toString() !== 'v') throw new Error('what was written did not come back');
    return 'the binding loads, writes and reads';
  } finally {
    await store.close();
  }
}

/** Whether the brokers answer, and then what differs between their topics and the declared ones. */
async function checkLog(
  config: Config,
  { ask, connect }: CommandContext,
  tell: (what: string, state: Finding['state'], detail: string) => void,
): Promise<void> {
  await using connection = await connect(config);
  const admin = connection.admin();
  const answered = await ask(admin.info(), `brokers at ${connection.describe}`).catch(reasonOf);
  if (typeof answered === 'string') {
    tell('brokers', 'FAIL', `${answered}; set KAFKA_BROKERS to host:port of a running broker`);
    tell('topics', 'FAIL', 'not looked at: no broker answers');
    return;
  }
  const { kind, version, address, nodes } = answered;
  tell('brokers', 'ok', `${kind} ${version} at ${address}: ${nodes.join(', ')}`);
  const declared = declaredTopics(config);
  const asking = admin.describe(declared.map(({ name }) => name));
  const actual = await ask(asking, `topics at ${connection.describe}`).catch(reasonOf);
  if (typeof actual === 'string') {
    tell('topics', 'FAIL', actual);
    return;
  }
  const gaps = connection.keepsAll ? [] : replayGaps(declared, actual);
  const findings = [
    ...judgeTopics(planTopics(declared, actual)),
    ...gaps.map((gap) => ['info', gap] as const),
  ];
  for (const [state, detail] of findings) tell('topics', state, detail);
  if (findings.every(([state]) => state !== 'FAIL')) tell('topics', 'ok', `all ${declared.length} are there`);
}

/** What is wrong, then what only differs. */
function judgeTopics(actions: readonly TopicAction[]): (readonly [Finding['state'], string])[] {
  const created = actions.flatMap((action) => (action.kind === 'create' ? [action.topic.name] : []));
  const altered = actions.flatMap((action) => (action.kind === 'alter-configs' ? [action.name] : []));
  const missing = `missing: ${created.join(', ')}; create them with: twhin topics apply`;
  const differing = `settings differ on ${altered.join(', ')}; see twhin topics plan, then twhin topics apply`;
  return [
    ...(created.length > 0 ? [['FAIL', missing] as const] : []),
    ...(altered.length > 0 ? [['FAIL', differing] as const] : []),
    ...actions.flatMap((action) => {
      if (action.kind !== 'keep' && action.kind !== 'missing') return [];
      const fails = action.kind === 'missing' || action.unusable === true;
      return [[fails ? 'FAIL' : 'info', describeAction(action)] as const];
    }),
  ];
}

async function describeStore(config: Config, plain: GraphConfig, load: ConfigSource): Promise<string> {
  const { name, folder } = livePlace(plain);
  const { graph } = await asLive(config, plain, load);
  const head = await readHead(graph);
  if (head === undefined) return `none yet in ${folder}; twhin run makes it`;
  refuseOther(head, graph);
  return `${name}: ${count(total(head.entities))} entities, step ${count(head.step)}, fingerprint ${fingerprint(head.model)} in ${folder}`;
}
