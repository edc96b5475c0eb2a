import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { createWorld, type WorldEvent } from '../../demo/world.ts';
import { connect } from '../../src/adapters/connect.ts';
import { EVENT_TOPICS, fullName, readEvent } from '../../topics/index.ts';
import { measured } from '../child.ts';

/** What is put into topics before anything reads them. */
export type Contents =
  /** higgs-activity_time.txt.gz; the first `limit` lines of it, or all of it `repeat` times, each later than the one before. */
  | { readonly higgs: string; readonly limit?: string | undefined; readonly repeat?: string | undefined }
  /** So many events of the demo's synthetic world. */
  | {
      readonly world: string;
      /** Without the records that can't be used: they are dated today, and a replay by event time puts what follows them last. */
      readonly good?: boolean;
    };

export interface Filled {
  /** Records by topic, full names. */
  readonly records: Readonly<Record<string, number>>;
}

const PREFIX = 'twhin.';
const SEND = 2_000;

/** Puts the contents into the topics of a log at `address`, which are there. command: the program's own entry. */
export async function fill(
  contents: Contents,
  { address, command, work }: { address: string; command: string; work: string },
): Promise<Filled> {
  if ('world' in contents) return fillWorld(Number(contents.world), address, contents.good === true);
  const { higgs, limit, repeat } = contents;
  const file =
    repeat === undefined ? higgs : await repeated(higgs, Number(repeat), join(work, 'repeated.txt'));
  const args = ['feed', file, '--topic', 'engagement', '--format', 'higgs', '--json'];
  const limited = limit === undefined ? [] : ['--limit', limit];
  const fed = await measured([command, ...args, ...limited], { ...process.env, KAFKA_BROKERS: address });
  return { records: { [fullName(PREFIX, { name: 'engagement' })]: Number(JSON.parse(fed.stdout).sent) } };
}

/** The same people at the same again, as much later as all of it takes: no event is one that was there before. */
async function repeated(file: string, times: number, path: string): Promise<string> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: createReadStream(file).pipe(createGunzip()) })) {
    lines.push(line);
  }
  const timeOf = (line = '') => Number(line.split(' ')[2]);
  const span = timeOf(lines.at(-1)) - timeOf(lines[0]) + 1;
  async function* all() {
    for (let time = 0; time < times; time++) {
      for (const line of lines) {
        const [who, whom, at, what] = line.split(' ');
        yield `${who} ${whom} ${Number(at) + time * span} ${what}\n`;
      }
    }
  }
  await pipeline(all, createWriteStream(path));
  return path;
}

async function fillWorld(events: number, address: string, good: boolean): Promise<Filled> {
  const log = await connect({ brokers: [address], clientId: 'bench' });
  const sink = log.sink();
  const records: Record<string, number> = {};
  let batch: {
    topic: string;
    key: string | null;
    value: Uint8Array | null;
    headers: Record<string, string>;
  }[] = [];
  const send = async () => {
    await sink.publish(batch);
    batch = [];
  };
  for (const event of createWorld({ seed: 1, events }).events) {
    if (good && !isGood(event)) continue;
    const topic = fullName(PREFIX, { name: event.topic });
    records[topic] = (records[topic] ?? 0) + 1;
    batch.push({ topic, key: event.key, value: event.value, headers: {} });
    if (batch.length === SEND) await send();
  }
  await send();
  await sink.stop();
  await log.close();
  return { records };
}

function isGood({ topic, value }: WorldEvent): boolean {
  const of = EVENT_TOPICS.find(({ name }) => name === topic);
  try {
    return of !== undefined && readEvent(of, { value, timestamp: Date.now() }) !== undefined;
  } catch {
    return false;
  }
}
