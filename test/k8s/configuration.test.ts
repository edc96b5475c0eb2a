import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readEnvironment } from '../../src/config/environment.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ofKind, type Resource, ROOT, SKIPPED } from './rendered.ts';
import { type Container, containersOf, graphOf, OVERLAYS, ofRole, type Workload } from './workload.ts';

const configMapSchema = z.object({
  metadata: z.object({ name: z.string() }),
  data: z.record(z.string(), z.string()),
});
const SECRET = 'from a Secret';
/** Time of HTTP answers in flight after everything else has stopped. */
const HTTP_DRAIN_MS = 2_000;
/** Variables of Node and not of twhin. */
const OF_NODE = ['NODE_OPTIONS'];
/** Bytes of a served vector of 128 numbers with its name, of an edge and of an entity: docs/measured.md. */
const [SERVED_VECTOR, SERVED_EDGE, SERVED_ENTITY] = [734, 12, 160];
/** Of an entity whose vector is still to come. */
const AWAITED = 53;
/** What the process takes beside them. */
const SERVED_REST = 2 ** 29;
const scratch = mkdtempSync(join(tmpdir(), 'k8s-config-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Every variable that readEnvironment reads, recorded by an environment that notes each access. */
function namesRead(): string[] {
  const names = new Set<string>();
  const env = new Proxy<NodeJS.ProcessEnv>({}, { get: (_, name) => void names.add(String(name)) });
  readEnvironment(env, []);
  return [...names];
}

const helps = new Map<string, string>();

/** The program's help of a command, read once. */
function helpOf(command = ''): string {
  const twhin = join(ROOT, 'bin', 'twhin.js');
  const help =
    helps.get(command) ??
    spawnSync(process.execPath, [twhin, command, '--help'], { encoding: 'utf8' }).stdout;
  helps.set(command, help);
  return help;
}

/** The environment of a container, as the kubelet sets it. */
function environmentOf({ env, envFrom }: Container, resources: readonly Resource[]): NodeJS.ProcessEnv {
  const maps = ofKind(resources, 'ConfigMap', configMapSchema);
  const from = envFrom.map(({ configMapRef }) =>
    maps.find(({ metadata }) => metadata.name === configMapRef.name),
  );
  const own = env.map(({ name, value }) => [name, value ?? SECRET]);
  return Object.assign({}, ...from.map((map) => map?.data), Object.fromEntries(own));
}

/** The configuration of a workload's process; its file is copied to a writable folder. */
async function configOf(workload: Workload, container: Container, resources: readonly Resource[]) {
  const env = environmentOf(container, resources);
  const file = env['TWHIN_CONFIG'] ?? '';
  const mount = container.volumeMounts.find(({ mountPath }) => file.startsWith(`${mountPath}/`));
  const volume = z
    .object({ configMap: z.object({ name: z.string() }) })
    .parse(workload.pod.volumes.find(({ name }) => name === mount?.name));
  const map = ofKind(resources, 'ConfigMap', configMapSchema).find(
    ({ metadata }) => metadata.name === volume.configMap.name,
  );
  const text = map?.data[file.slice((mount?.mountPath.length ?? 0) + 1)];
  if (text === undefined) throw new Error(`${workload.name} has no file ${file}`);
  const copy = join(scratch, `${map?.metadata.name}.config.ts`);
  writeFileSync(copy, text);
  return loadConfig({ ...env, TWHIN_CONFIG: copy }, '/nowhere');
}

describe.skipIf(SKIPPED).each(OVERLAYS)('configuration of $overlay', ({ overlay, resources, all }) => {
  const ours = all
    .filter(({ labels }) => labels['app.kubernetes.io/name'] === 'twhin-stream')
    .flatMap((workload) => {
      const containers = containersOf(workload).filter(({ command }) => command.length === 0);
      return containers.map((container) => ({ workload, container, name: workload.name }));
    });

  test.each(ours)('$name is given variables and options that there are', ({ workload, container }) => {
    const names = Object.keys(environmentOf(container, resources)).filter((name) => !OF_NODE.includes(name));
    expect(names.length).toBeGreaterThan(1);
    expect(namesRead()).toEqual(expect.arrayContaining(names));
    const [command, ...args] = container.args;
    const options = args.filter((arg) => arg.startsWith('--')).map((arg) => arg.split('=')[0]);
    for (const option of options) expect(helpOf(command)).toMatch(new RegExp(`^ +${option} `, 'm'));
    if (workload.deployment === undefined) expect(args).toContain(`--graph=${graphOf(workload)}`);
  });

  test.each(ours)('$name is configured without a problem', async ({ workload, container }) => {
    const config = await configOf(workload, container, resources);
    if (workload.deployment !== undefined) {
      // It serves all graphs, and has no state.
      expect(graphOf(workload)).toBe('');
      const longest = HTTP_DRAIN_MS + 1_000 * Number(container.lifecycle?.preStop.exec.command[1]);
      expect(workload.pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(2 * longest);
      return;
    }
    const graphs = config.graphs.map(({ name }) => name);
    expect(graphs).toContain(graphOf(workload));
    const state = container.volumeMounts.find(({ mountPath }) => mountPath === config.state);
    expect(state?.name).toBe('state');
    const tooLong = config.tuning.stopMs + HTTP_DRAIN_MS;
    if (workload.labels['twhin-stream/role'] !== 'backup') {
      expect(workload.pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(tooLong);
    }
  });

  test('a pod that serves holds all graphs, twice while another store takes over', async () => {
    const [serving] = ofRole(all, 'serve');
    const [container] = serving?.pod.containers ?? [];
    if (serving === undefined || container === undefined) throw new Error('nothing serves');
    const { graphs } = await configOf(serving, container, resources);
    const entities = graphs.reduce((sum, { trainer }) => sum + trainer.maxRows, 0);
    const edges = graphs.length * Number(/--edges=(\d+)/.exec(container.args.join(' '))?.[1]);
    const limit = /^(\d+)Gi$/.exec(container.resources.limits.memory)?.[1];
    if (overlay === 'prod')
      expect(Number(limit) * 2 ** 30).toBeGreaterThan(
        SERVED_REST +
          2 * entities * SERVED_VECTOR +
          entities * (SERVED_ENTITY + AWAITED) +
          edges * SERVED_EDGE,
      );
  });

  test('every configured graph is run', async () => {
    const leaders = ofRole(all, 'leader');
    const [first] = leaders;
    if (first === undefined) throw new Error('nothing runs a graph');
    const [container] = first.pod.containers;
    if (container === undefined) throw new Error(`${first.name} has no container`);
    const config = await configOf(first, container, resources);
    expect(leaders.map(graphOf).sort()).toEqual(config.graphs.map(({ name }) => name).sort());
    // The limit holds the table at limits.maxEntities, and as much again for everything else.
    const [graph] = config.graphs;
    const tableBytes = (graph?.trainer.maxRows ?? 0) * ((graph?.model.dim ?? 0) + 16) * 4;
    const limit = /^(\d+)Gi$/.exec(container.resources.limits.memory)?.[1];
    expect(Number(limit) * 2 ** 30).toBeGreaterThan(2 * tableBytes);
  });

  test('the brokers are those of the overlay', async () => {
    const [leader] = ofRole(all, 'leader');
    const [container] = leader?.pod.containers ?? [];
    if (leader === undefined || container === undefined) throw new Error('nothing runs a graph');
    const { kafka } = await configOf(leader, container, resources);
    if (overlay === 'dev') expect(kafka).toMatchObject({ brokers: ['kafka:9092'], ssl: false });
    else {
      const sasl = { mechanism: 'scram-sha-512', username: SECRET, password: SECRET };
      expect(kafka).toMatchObject({ ssl: true, sasl, caFile: '/etc/twhin-kafka/ca.crt' });
      expect(container.volumeMounts.map(({ mountPath }) => mountPath)).toContain('/etc/twhin-kafka');
    }
  });
});
