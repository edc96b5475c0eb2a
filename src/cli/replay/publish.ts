import { embeddingsDeclaration } from '../../../topics/index.ts';
import type { Log as EventLog } from '../../adapters/connect.ts';
import { UsageError } from '../../errors.ts';

/** Makes the topic a replay publishes to where it is missing. @throws UsageError when there is another kind of topic of that name. */
export async function makeShadowTopic(name: string, graph: string, connection: EventLog): Promise<void> {
  const admin = connection.admin();
  const [there] = await admin.describe([name]);
  if (there === undefined) return admin.create([{ ...embeddingsDeclaration(graph), name }]);
  const policy = there.configs['cleanup.policy'];
  if (policy === undefined || policy.includes('compact')) return;
  throw new UsageError(
    'publish',
    `--publish: ${name} is there with cleanup.policy=${policy}; vectors go to a compacted topic: name one that is, or that is not there yet`,
  );
}
