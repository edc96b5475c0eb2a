import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ofKind, SKIPPED } from './rendered.ts';
import { graphOf, matches, OVERLAYS, ofRole, selectorSchema, type Workload } from './workload.ts';

const GRAPHS = ['engagement', 'follow'];
const serviceSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({ selector: z.record(z.string(), z.string()) }),
});
const autoscalerSchema = z.looseObject({
  spec: z.looseObject({ scaleTargetRef: z.looseObject({ kind: z.string(), name: z.string() }) }),
});
const claimSchema = z.looseObject({ persistentVolumeClaim: z.looseObject({ claimName: z.string() }) });

describe.skipIf(SKIPPED).each(OVERLAYS)('in $overlay', ({ overlay, resources, all }) => {
  const leaders = ofRole(all, 'leader');
  const standbys = ofRole(all, 'standby');
  const jobs = all.filter(({ cronJob }) => cronJob !== undefined);

  test('each graph has one leader, and in prod one standby, a backup and a replay', () => {
    const each = overlay === 'prod' ? GRAPHS : [];
    expect(leaders.map(graphOf)).toEqual(GRAPHS);
    expect(standbys.map(graphOf)).toEqual(each);
    expect(ofRole(all, 'backup').map(graphOf)).toEqual(each);
    expect(ofRole(all, 'replay').map(graphOf)).toEqual(each);
    const others = all.length - leaders.length - 3 * each.length - ofRole(all, 'serve').length;
    expect(others).toBe(overlay === 'dev' ? 1 : 0);
  });

  test('only what writes nothing may run twice in an update, or be scaled', () => {
    const serving = ofRole(all, 'serve').map(({ name }) => name);
    expect(all.filter(({ deployment }) => deployment !== undefined).map(({ name }) => name)).toEqual(serving);
    const scaled = ofKind(resources, 'HorizontalPodAutoscaler', autoscalerSchema);
    for (const { spec } of scaled) {
      expect(spec.scaleTargetRef.kind).toBe('Deployment');
      expect(serving).toContain(spec.scaleTargetRef.name);
    }
    for (const { pod } of ofRole(all, 'serve')) {
      expect(pod.containers.map(({ args }) => args[0])).toEqual(['serve']);
      expect(claimsOf({ pod })).toEqual([]);
    }
  });

  test.each([...leaders, ...standbys])(
    '$name is one pod, ended before the next is made, with a store of its own that stays when it is deleted',
    (workload) => {
      const { statefulSet, pod, name } = workload;
      expect(statefulSet?.replicas).toBe(1);
      // Neither rollingUpdate.maxUnavailable nor a partition: with one replica, both could only delay an update.
      expect(statefulSet?.updateStrategy).toEqual({ type: 'RollingUpdate' });
      expect(statefulSet?.podManagementPolicy).toBe('Parallel');
      expect(statefulSet?.volumeClaimTemplates.map(({ metadata }) => metadata.name)).toEqual(['state']);
      expect(statefulSet?.volumeClaimTemplates[0]?.spec.accessModes).toEqual(['ReadWriteOnce']);
      const keep = { whenDeleted: 'Retain', whenScaled: 'Retain' };
      expect(statefulSet?.persistentVolumeClaimRetentionPolicy).toEqual(keep);
      expect(pod.containers.map(({ args }) => args[0])).toEqual(['run']);
      const standsBy = pod.containers[0]?.args.includes('--standby');
      expect([name, standsBy]).toEqual([name, standbys.includes(workload)]);
    },
  );

  test.each(standbys)('$name waits for its own leader, and runs on another node', (standby) => {
    const [leader] = leaders.filter((each) => graphOf(each) === graphOf(standby));
    const [url] = standby.pod.initContainers[0]?.args ?? [];
    const service = ofKind(resources, 'Service', serviceSchema).find(
      ({ metadata }) => metadata.name === new URL(url ?? '').hostname,
    );
    expect(matches(selectorSchema.parse({ matchLabels: service?.spec.selector }), leader?.labels ?? {})).toBe(
      true,
    );
    expect(new URL(url ?? '').pathname).toBe('/readyz');
    expect(placedBy(standby.pod.affinity.podAntiAffinity, all)).toEqual([leader]);
  });

  test('standbys are listed before leaders, so that standbys stop first in an update', () => {
    const order = all.map(({ labels }) => labels['twhin-stream/role']);
    if (standbys.length > 0) expect(order.lastIndexOf('standby')).toBeLessThan(order.indexOf('leader'));
  });

  test.each(jobs)('$name is placed beside the one process whose volume it mounts', (job) => {
    const [leader] = leaders.filter((each) => graphOf(each) === graphOf(job));
    expect(placedBy(job.pod.affinity.podAffinity, all)).toEqual([leader]);
    expect(claimsOf(job)[0]).toBe(`state-${leader?.name}-0`);
    expect(job.cronJob?.concurrencyPolicy).toBe('Forbid');
    expect(job.cronJob?.jobTemplate.spec.podReplacementPolicy).toBe('Failed');
  });

  test('a backup can’t write the store; a replay runs only on request and writes a store beside it', () => {
    for (const { pod } of ofRole(all, 'backup')) {
      const mounts = [...pod.initContainers, ...pod.containers].flatMap(({ volumeMounts }) => volumeMounts);
      expect(mounts.filter(({ name }) => name === 'state').map(({ readOnly }) => readOnly)).toEqual([true]);
    }
    for (const { pod, cronJob } of ofRole(all, 'replay')) {
      expect(pod.containers[0]?.args).toContain('--into=shadow');
      expect(cronJob?.suspend).toBe(true);
    }
  });

  test('each backup has its own volume, and each workload its own name', () => {
    const backups = ofRole(all, 'backup').map((job) => claimsOf(job)[1]);
    expect(new Set(backups).size).toBe(backups.length);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });
});

/** Workloads whose pods an affinity of one term selects. */
function placedBy(
  affinity: Workload['pod']['affinity']['podAffinity'],
  all: readonly Workload[],
): Workload[] {
  const [term, ...more] = affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  expect([term?.topologyKey, more]).toEqual(['kubernetes.io/hostname', []]);
  return all.filter(({ labels }) => term !== undefined && matches(term.labelSelector, labels));
}

function claimsOf({ pod }: Pick<Workload, 'pod'>): string[] {
  const claims = pod.volumes.map((volume) => claimSchema.safeParse(volume).data);
  return claims.flatMap((claim) => claim?.persistentVolumeClaim.claimName ?? []);
}
