import { z } from 'zod';
import { ofKind, type Resource } from './rendered.ts';

/** Strimzi's own definitions (v1, 0.49 and newer), reduced to the fields that we use; other fields fail. */
const metadata = z.strictObject({
  name: z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/),
  namespace: z.string().optional(),
  labels: z.strictObject({ 'strimzi.io/cluster': z.string().min(1) }),
});
export const topicSchema = z.strictObject({
  apiVersion: z.literal('kafka.strimzi.io/v1'),
  kind: z.literal('KafkaTopic'),
  metadata,
  spec: z.strictObject({
    topicName: z.string(),
    partitions: z.int().positive(),
    config: z.record(z.string(), z.string()),
  }),
});
const aclSchema = z.strictObject({
  resource: z.strictObject({
    type: z.enum(['topic', 'group', 'transactionalId']),
    name: z.string(),
    patternType: z.literal('literal'),
  }),
  operations: z.array(z.enum(['Read', 'Write', 'Describe', 'DescribeConfigs'])).min(1),
});
export const userSchema = z.strictObject({
  apiVersion: z.literal('kafka.strimzi.io/v1'),
  kind: z.literal('KafkaUser'),
  metadata,
  spec: z.strictObject({
    authentication: z.strictObject({
      type: z.literal('scram-sha-512'),
      password: z.strictObject({
        valueFrom: z.strictObject({ secretKeyRef: z.strictObject({ name: z.string(), key: z.string() }) }),
      }),
    }),
    authorization: z.strictObject({ type: z.literal('simple'), acls: z.array(aclSchema) }),
  }),
});

/** Operations by resource, such as `topic twhin.follow`; the operations in order. */
export type Rights = Readonly<Record<string, string>>;

/** What a reader of a topic may do. */
export const READS = 'Describe DescribeConfigs Read';

/** Rights on several resources, by name without the prefix: `on('topic', 'follow search', 'Describe Read')`. */
export const on = (type: string, names: string, operations: string): Rights =>
  Object.fromEntries(names.split(' ').map((name) => [`${type} twhin.${name}`, operations]));

/** The rights of a user. @throws where there is not one user of the name, or a resource is named twice. */
export function rightsOf(resources: readonly Resource[], name: string): Rights {
  const users = ofKind(resources, 'KafkaUser', userSchema).filter((user) => user.metadata.name === name);
  const acls = users.flatMap(({ spec }) => spec.authorization.acls);
  const rights = new Map(
    acls.map(({ resource, operations }) => [`${resource.type} ${resource.name}`, operations.toSorted()]),
  );
  if (users.length !== 1 || rights.size !== acls.length)
    throw new Error(`${users.length} users ${name}, with ${acls.length} rights on ${rights.size} resources`);
  return Object.fromEntries([...rights].map(([on, operations]) => [on, operations.join(' ')]));
}
