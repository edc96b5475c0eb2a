import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ROOT, SKIPPED } from './rendered.ts';
import { containersOf, OVERLAYS } from './workload.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const { version } = z.object({ version: z.string() }).parse(JSON.parse(read('package.json')));
const compose = /image: apache\/kafka:(\S+)/.exec(read('docker-compose.yml'))?.[1];
const IMAGES = [`twhin-stream:${version}`, `apache/kafka:${compose}`];

/** Rights that none of our containers has. */
const HARDENED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};
const POD = {
  runAsNonRoot: true,
  runAsUser: 1000,
  runAsGroup: 1000,
  fsGroup: 1000,
  fsGroupChangePolicy: 'OnRootMismatch',
  seccompProfile: { type: 'RuntimeDefault' },
};
/** Secrets that an operator makes by hand, see docs/deploy.md. */
const SECRETS = ['twhin-kafka', 'twhin-kafka-ca', 'twhin-serve-kafka'];

const volumeSchema = z.union([
  z.strictObject({ name: z.string(), configMap: z.strictObject({ name: z.string() }) }),
  z.strictObject({ name: z.string(), emptyDir: z.strictObject({ sizeLimit: z.string() }) }),
  z.strictObject({ name: z.string(), persistentVolumeClaim: z.strictObject({ claimName: z.string() }) }),
  z.strictObject({
    name: z.string(),
    secret: z.looseObject({ secretName: z.string(), defaultMode: z.literal(0o440) }),
  }),
]);

describe.skipIf(SKIPPED).each(OVERLAYS)('pods of $overlay', ({ overlay, resources, all }) => {
  const containers = all.flatMap((workload) =>
    containersOf(workload).map((container) => ({
      workload,
      container,
      where: `${workload.name}/${container.name}`,
    })),
  );
  const names = (kind: string) =>
    resources.filter((each) => each.kind === kind).map(({ metadata }) => metadata.name);

  test('exist', () => {
    expect(containers.length).toBeGreaterThanOrEqual(overlay === 'prod' ? 11 : 4);
  });

  test.each(containers)(
    '$where is of an exact version, held to a limit, may do nothing but run, and mounts what there is',
    ({ workload, container }) => {
      expect(IMAGES).toContain(container.image);
      const { requests, limits } = container.resources;
      for (const what of ['cpu', 'memory'] as const) {
        expect(amount(requests[what])).toBeGreaterThan(0);
        expect(amount(limits[what])).toBeGreaterThanOrEqual(amount(requests[what]));
      }
      expect(container.securityContext).toEqual(HARDENED);
      expect(workload.pod.securityContext).toEqual(POD);
      expect(workload.pod.automountServiceAccountToken).toBe(false);
      expect(workload.pod.enableServiceLinks).toBe(false);
      for (const shared of ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace']) {
        expect(workload.pod).not.toHaveProperty(shared);
      }
      const volumes = new Map(workload.pod.volumes.map((each) => [each.name, volumeSchema.parse(each)]));
      const claims = (workload.statefulSet?.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name);
      for (const { name, readOnly } of container.volumeMounts) {
        const volume = volumes.get(name);
        expect(volume !== undefined || claims.includes(name), `a volume ${name}`).toBe(true);
        if (volume && ('configMap' in volume || 'secret' in volume)) expect(readOnly).toBe(true);
      }
      if (workload.pod.initContainers.includes(container)) return;
      const tmp = container.volumeMounts.find(({ mountPath }) => mountPath === '/tmp');
      expect(volumes.get(tmp?.name ?? '')).toHaveProperty('emptyDir');
    },
  );

  test.each(all)('$name names configuration, secrets and claims that exist', (workload) => {
    const claimed = all.flatMap(({ name, statefulSet }) =>
      (statefulSet?.volumeClaimTemplates ?? []).map(({ metadata }) => `${metadata.name}-${name}-0`),
    );
    for (const volume of workload.pod.volumes.map((each) => volumeSchema.parse(each))) {
      if ('configMap' in volume) expect(names('ConfigMap')).toContain(volume.configMap.name);
      if ('secret' in volume) expect(SECRETS).toContain(volume.secret.secretName);
      if ('persistentVolumeClaim' in volume) {
        expect([...claimed, ...names('PersistentVolumeClaim')]).toContain(
          volume.persistentVolumeClaim.claimName,
        );
      }
    }
    for (const { env, envFrom } of containersOf(workload)) {
      for (const { configMapRef } of envFrom) expect(names('ConfigMap')).toContain(configMapRef.name);
      for (const { valueFrom } of env) {
        if (valueFrom && 'secretKeyRef' in valueFrom) expect(SECRETS).toContain(valueFrom.secretKeyRef.name);
      }
    }
  });

  test('run under an account without a token, and get no secret from this repository', () => {
    expect(names('Secret')).toEqual([]);
    const accounts = resources.filter(({ kind }) => kind === 'ServiceAccount');
    for (const account of accounts) expect(account).toMatchObject({ automountServiceAccountToken: false });
    const ours = all.filter(({ labels }) => labels['app.kubernetes.io/name'] === 'twhin-stream');
    expect(new Set(ours.map(({ pod }) => pod.serviceAccountName))).toEqual(new Set(names('ServiceAccount')));
    expect(resources.filter(({ kind }) => /Role/.test(kind))).toEqual([]);
  });

  test('are in a namespace that admits only restricted pods', () => {
    const [namespace] = resources.filter(({ kind }) => kind === 'Namespace');
    expect(namespace?.metadata.labels['pod-security.kubernetes.io/enforce']).toBe('restricted');
    const others = resources.filter(({ kind }) => kind !== 'Namespace');
    expect(new Set(others.map(({ metadata }) => metadata.namespace))).toEqual(
      new Set([namespace?.metadata.name]),
    );
  });
});

/** A quantity of Kubernetes as a number of cores or bytes. */
function amount(quantity: string): number {
  const [, digits, unit = ''] = /^(\d+)(m|Ki|Mi|Gi)?$/.exec(quantity) ?? [];
  const factors: Record<string, number> = { '': 1, m: 1e-3, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };
  return Number(digits) * (factors[unit] ?? Number.NaN);
}
