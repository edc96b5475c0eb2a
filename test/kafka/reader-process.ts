import { argv, stdout } from 'node:process';
import { KafkaSource } from '../../src/adapters/kafka/group/source.ts';
import { TwhinError } from '../../src/errors/errors.ts';
import { Collector } from './collector.ts';

/** A process that reads a topic for a group, to be killed or frozen; it says on its output how it fares, a line each. */
const [brokers = '', topic = '', standby = ''] = argv.slice(2);

const say = (line: string): void => {
  stdout.write(`${line}\n`);
};
const codeOf = (error: unknown): string => (error instanceof TwhinError ? error.code : String(error));

const source = new KafkaSource(
  { brokers: brokers.split(','), clientId: 'other' },
  { groupId: `g-${topic}`, topics: [topic], standby: standby === 'standby', sessionTimeoutMs: 6000 },
  () => undefined,
);
const reader = new Collector();
reader.room = ({ records }) => {
  say(`read ${records.length}`);
  return true;
};
reader.failed = (error) => {
  say(`failed ${codeOf(error)}: ${error.message}`);
  source.confirm().then(
    () => say('confirmed'),
    (refusal: unknown) => say(`not confirmed: ${codeOf(refusal)}`),
  );
};
say('joining');
await source.start(reader);
await source.confirm();
say('started');
