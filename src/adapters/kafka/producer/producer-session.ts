import {
  addPartitionsToTxnV3,
  createAPI,
  endTxnV3,
  initProducerIdV4,
  produceV9,
  Writer,
} from '@platformatic/kafka';
import { RetryableError } from '../../../errors/errors.ts';
import { type Brokers, TRANSACTION } from '../brokers.ts';
import { protocolError } from '../failure.ts';
import { ByteWriter } from './byte-writer.ts';
import { type PlainRecord, writeBatch } from './record-batch.ts';

const ACKNOWLEDGED_BY_ALL = -1;
const TIMEOUT_MS = 10_000;
/** Room made at first for what is around the value of a record; a buffer that grows costs as much again. */
const AROUND_VALUE_BYTES = 256;

/**
 * A producer as brokers know it: by its id, its epoch, and the number of the next record of each partition. A request
 * that is sent again with the same numbers is taken once.
 */
export class ProducerSession {
  readonly #brokers: Brokers;
  readonly #transactionalId: string | null;
  readonly #id: bigint;
  readonly #epoch: number;
  readonly #sequences = new Map<number, number>();

  private constructor(
    brokers: Brokers,
    transactionalId: string | null,
    { producerId, producerEpoch }: { producerId: bigint; producerEpoch: number },
  ) {
    this.#brokers = brokers;
    this.#transactionalId = transactionalId;
    this.#id = producerId;
    this.#epoch = producerEpoch;
  }

  /**
   * A new session. One under a transactional id puts all out that had the id before; its transactions are aborted by the
   * brokers when they stay open for `transactionMs`.
   */
  static async open(
    brokers: Brokers,
    transactionalId: string | null,
    transactionMs = 0,
  ): Promise<ProducerSession> {
    const broker =
      transactionalId === null
        ? await brokers.any()
        : await brokers.coordinator(TRANSACTION, transactionalId);
    // -1 and -1: whoever had the id before. The client's own producer says 0 and 0, by which the newer process is fenced.
    const given = await initProducerIdV4.api.async(broker, transactionalId, transactionMs, -1n, -1);
    return new ProducerSession(brokers, transactionalId, given);
  }

  /** Resolves once all are acknowledged. One call after the other for a partition. @throws what the brokers say. */
  async send(
    leader: number,
    topic: string,
    partition: number,
    records: readonly PlainRecord[],
  ): Promise<void> {
    const firstSequence = this.#sequences.get(partition) ?? 0;
    const writer = new ByteWriter(roomFor(records));
    writeBatch(writer, {
      records,
      timestamp: Date.now(),
      transactional: this.#transactionalId !== null,
      producerId: this.#id,
      producerEpoch: this.#epoch,
      firstSequence,
    });
    const broker = await this.#brokers.node(leader);
    if (broker === undefined) {
      throw new RetryableError('no-leader', `no broker leads ${topic}/${partition} at the moment`);
    }
    const sent = produce.async(broker, this.#transactionalId, topic, partition, writer.written());
    await sent.catch((error: unknown) => {
      // The brokers have these records from an attempt whose answer was lost.
      if (protocolError(error) !== 'DUPLICATE_SEQUENCE_NUMBER') throw error;
    });
    this.#sequences.set(partition, (firstSequence + records.length) % 2 ** 31);
  }

  async addPartitions(topic: string, partitions: number[]): Promise<void> {
    // Version 3: later versions are for brokers, and need rights that a client does not have.
    const topics = [{ name: topic, partitions }];
    const transaction = { ...this.#transaction(), verifyOnly: false, topics };
    await addPartitionsToTxnV3.api.async(await this.#coordinator(), [transaction]);
  }

  async end(committed: boolean): Promise<void> {
    const { transactionalId, producerId, producerEpoch } = this.#transaction();
    await endTxnV3.api.async(
      await this.#coordinator(),
      transactionalId,
      producerId,
      producerEpoch,
      committed,
    );
  }

  #transaction() {
    return {
      transactionalId: this.#transactionalId ?? '',
      producerId: this.#id,
      producerEpoch: this.#epoch,
    };
  }

  #coordinator() {
    return this.#brokers.coordinator(TRANSACTION, this.#transactionalId ?? '');
  }
}

/** Produce 9 of one batch to one partition, whose bytes are ours. */
const produce = createAPI<[string | null, string, number, Buffer], produceV9.ProduceResponse>(
  0,
  9,
  encodeRequest,
  produceV9.parseResponse,
);

/** transactional id | acks i16 | timeout i32 | topics, each a name and its partitions: number i32, batch */
function encodeRequest(
  transactionalId: string | null,
  topic: string,
  partition: number,
  batch: Buffer,
): Writer {
  return Writer.create()
    .appendString(transactionalId)
    .appendInt16(ACKNOWLEDGED_BY_ALL)
    .appendInt32(TIMEOUT_MS)
    .appendArray([topic], (topics, name) =>
      topics
        .appendString(name)
        .appendArray([partition], (partitions, number) => partitions.appendInt32(number).appendBytes(batch)),
    )
    .appendTaggedFields();
}

function roomFor(records: readonly PlainRecord[]): number {
  let bytes = AROUND_VALUE_BYTES;
  for (const { value } of records) bytes += AROUND_VALUE_BYTES + (value?.length ?? 0);
  return bytes;
}
