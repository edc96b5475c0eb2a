import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Config } from '../../src/config/resolve.ts';
import { type Shard, shardName } from '../../src/graph/shard.ts';
import { cutGraphs, POD_INDEX } from './shards.ts';

/** What of a graph's backup differs between graphs; everything else stays as the files of k8s/backup/graph have it. */
const volumeSchema = z.looseObject({ metadata: z.looseObject({ name: z.string() }) });
const namedVolume = z.looseObject({ name: z.string() });
const containerSchema = z.looseObject({ args: z.array(z.string()) });
const podSchema = z.looseObject({ containers: z.tuple([containerSchema]), volumes: z.array(namedVolume) });
const cronJobSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    jobTemplate: z.looseObject({
      spec: z.looseObject({ template: z.looseObject({ spec: podSchema }) }),
    }),
  }),
});

/** The component that backs up each shard of the graphs with shards. Without such a graph it changes nothing. */
export function shardBackups(config: Config): object {
  return {
    apiVersion: 'kustomize.config.k8s.io/v1alpha1',
    kind: 'Component',
    metadata: { name: 'shard-backups' },
    ...(cutGraphs(config).length > 0 && { resources: ['backups.yaml'] }),
  };
}

/**
 * A nightly `twhin backup` of each shard, beside the pod of the shard, into a volume of its own.
 * folder: of a graph's backup without a name.
 */
export async function backupsOfShards(config: Config, folder: string): Promise<object[]> {
  const read = async (name: string): Promise<unknown> => parse(await readFile(join(folder, name), 'utf8'));
  const [cronJob, volume] = [
    cronJobSchema.parse(await read('cron-job.yaml')),
    volumeSchema.parse(await read('volume.yaml')),
  ];
  return cutGraphs(config).flatMap(({ shard: { graph, count } }) =>
    Array.from({ length: count }, (_, index) => ({ graph, index, count })).flatMap((shard) => [
      backupOf(shard, cronJob),
      { ...volume, metadata: metadataOf(shard) },
    ]),
  );
}

function backupOf(shard: Shard, cronJob: z.infer<typeof cronJobSchema>): object {
  const { metadata, spec } = cronJob;
  const { jobTemplate } = spec;
  const { template } = jobTemplate.spec;
  const pod = template.spec;
  const [container] = pod.containers;
  const claims: Readonly<Record<string, string>> = {
    state: `state-twhin-${shardName(shard)}`,
    backup: `twhin-backup-${shardName(shard)}`,
  };
  const own = {
    ...pod,
    affinity: besideItsShard(shard),
    containers: [{ ...container, args: [...container.args, `--graph=${shardName(shard)}`] }],
    volumes: pod.volumes.map((volume) => {
      const claimName = claims[volume.name];
      return claimName === undefined ? volume : { name: volume.name, persistentVolumeClaim: { claimName } };
    }),
  };
  const ofPod = { ...template, metadata: { labels: metadataOf(shard).labels }, spec: own };
  const job = { ...jobTemplate, spec: { ...jobTemplate.spec, template: ofPod } };
  return {
    ...cronJob,
    metadata: { ...metadata, ...metadataOf(shard) },
    spec: { ...spec, jobTemplate: job },
  };
}

function metadataOf(shard: Shard) {
  return { name: `twhin-backup-${shardName(shard)}`, labels: labelsOf(shard.graph, 'backup') };
}

/** A store's volume can be mounted on one node only: that of the shard's pod. */
function besideItsShard({ graph, index }: Shard): object {
  const matchLabels = { ...labelsOf(graph, 'leader'), [POD_INDEX]: `${index}` };
  const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels } };
  return { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
}

function labelsOf(graph: string, role: string): Readonly<Record<string, string>> {
  return {
    'app.kubernetes.io/name': 'twhin-stream',
    'twhin-stream/graph': graph,
    'twhin-stream/role': role,
  };
}
