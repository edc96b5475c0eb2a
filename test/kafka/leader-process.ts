import { argv, stdout } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { KafkaLeadership } from '../../src/adapters/kafka/group/leadership.ts';
import { TwhinError } from '../../src/errors/errors.ts';

/** A process that asks for leadership of a group, to be killed or frozen. It prints a line for each event. */
const [brokers = '', topic = '', options = '{}'] = argv.slice(2);

const say = (line: string): void => {
  stdout.write(`${line}\n`);
};
const codeOf = (error: unknown): string => (error instanceof TwhinError && error.code) || String(error);

const leadership = new KafkaLeadership(
  { brokers: brokers.split(','), clientId: 'other' },
  { groupId: `g-${topic}`, topics: [topic], ...JSON.parse(options) },
  () => undefined,
);
say('joining');
await leadership.join({
  position: () => undefined,
  failed: (error) => say(`failed ${codeOf(error)}: ${error.message}`),
});
say('leading');
try {
  for (let n = 1; ; n++) {
    await leadership.confirm();
    say(`confirmed ${n}`);
    // Without a rest the process and the broker take a core between them.
    await sleep(20);
  }
} catch (refusal) {
  say(`not confirmed: ${codeOf(refusal)}`);
}
