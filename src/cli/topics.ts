import { connect } from '../adapters/connect.ts';
import { declaredTopics } from '../config/declared-topics.ts';
import type { Config } from '../config/resolve.ts';
import type { Log } from '../log.ts';
import { applyTopics, describeAction, planTopics } from '../pipeline/topic-plan.ts';
import type { Output } from './output.ts';
import { withinTime } from './within-time.ts';

const ANSWER_MS = 30_000;

/** Says what would change on the cluster and, when applying, does it. Applying twice does nothing the second time. */
export async function topics(
  config: Config,
  options: { apply: boolean; json: boolean },
  log: Log,
  output: Output,
): Promise<void> {
  const connection = await connect(config.kafka, (level, message) => log[level]({}, message));
  try {
    const admin = connection.admin();
    const declared = declaredTopics(config);
    const where = `topics at ${connection.describe}`;
    const actual = await withinTime(admin.describe(declared.map(({ name }) => name)), ANSWER_MS, where);
    const actions = planTopics(declared, actual);
    if (options.apply) await withinTime(applyTopics(admin, actions), ANSWER_MS, where);
    if (options.json) output.out(JSON.stringify({ applied: options.apply, actions }));
    else {
      for (const action of actions) output.out(describeAction(action));
      const changes = actions.filter(({ kind }) => kind !== 'keep').length;
      if (changes === 0)
        output.out(`all ${declared.length} topics are as declared at ${connection.describe}`);
      else
        output.out(
          options.apply
            ? `${changes} changes made`
            : `${changes} changes; make them with: twhin topics apply`,
        );
    }
  } finally {
    await connection.close();
  }
}
