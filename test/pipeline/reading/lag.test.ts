import { describe, expect, test } from 'vitest';
import type { Offsets, PartitionRange } from '../../../src/pipeline/ports.ts';
import { Lag } from '../../../src/pipeline/reading/lag.ts';
import { OffsetLedger } from '../../../src/pipeline/reading/offset-ledger.ts';
import { keptLog } from '../faulty-sink.ts';

const record = { topic: 'follow', partition: 1, offset: 4, key: null, value: null };

function setUp(...answers: (Offsets | Error)[]) {
  const now = { ms: 100_000 };
  let asked = 0;
  const ledger = new OffsetLedger({ follow: { '0': { offset: 7 }, '1': { offset: 4 } } });
  const ranges = async (): Promise<PartitionRange[]> => {
    const answer = answers[asked++];
    if (answer instanceof Error || answer === undefined) throw answer ?? new Error('asked too often');
    return Object.entries(answer).flatMap(([topic, ends]) =>
      Object.entries(ends).map(([partition, high]) => ({
        topic,
        partition: Number(partition),
        low: 0,
        high,
      })),
    );
  };
  const log = keptLog();
  const lag = new Lag({
    graph: 'test',
    eventLog: { ranges },
    topics: ['follow'],
    ledger,
    log,
    clock: () => now.ms,
  });
  /** Asks, and gives what is known once the answer is in. */
  const known = async () => {
    lag.byPartition();
    await new Promise((resolve) => setImmediate(resolve));
    return lag.byPartition();
  };
  return { now, ledger, log, lag, known, asked: () => asked };
}

describe('Lag', () => {
  test('the backlog runs from the applied offset to the end, and is as old as the newest applied record', async () => {
    const { lag, known } = setUp({ follow: { '0': 7, '1': 14, '2': 3 } });
    lag.applied({ ...record, timestamp: 91_500 });
    expect(await known()).toEqual([
      { topic: 'follow', partition: 0, records: 0, seconds: 0 },
      { topic: 'follow', partition: 1, records: 10, seconds: 8.5 },
      // Nothing of it was applied yet.
      { topic: 'follow', partition: 2, records: 3, seconds: undefined },
    ]);
  });

  test('the backlog shrinks as records are applied, and the ends are asked for again after five seconds', async () => {
    const { now, ledger, lag, known, asked } = setUp({ follow: { '0': 9 } }, { follow: { '0': 20 } });
    expect([asked(), lag.byPartition()]).toEqual([0, []]);
    expect(await known()).toMatchObject([{ records: 2 }]);
    ledger.advance('applied', 'follow', 0, 9);
    expect(lag.byPartition()).toMatchObject([{ records: 0, seconds: 0 }]);
    now.ms += 4_999;
    expect([await known(), asked()]).toMatchObject([[{ records: 0 }], 1]);
    now.ms += 1;
    expect([await known(), asked()]).toMatchObject([[{ records: 11 }], 2]);
  });

  test('the last known ends count while the brokers do not answer; a record dated ahead has age 0', async () => {
    const { now, lag, known, log } = setUp({ follow: { '1': 14 } }, new Error('no broker answers'));
    lag.applied({ ...record, timestamp: 100_900 });
    expect(await known()).toMatchObject([{ records: 10, seconds: 0 }]);
    now.ms += 5_000;
    expect(await known()).toMatchObject([{ records: 10 }]);
    expect(log.lines).toMatchObject([{ fields: { graph: 'test', reason: 'no broker answers' } }]);
  });
});
