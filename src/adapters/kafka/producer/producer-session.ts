import {
  addPartitionsToTxnV3,
  createAPI,
  endTxnV3,
  initProducerIdV4,
  produceV9,
  Writer,
} from '@platformatic/kafka';
import { RetryableError } from '../../../errors/errors.ts';
import type { Partition } from '../../../pipeline/ports.ts';
import { type Brokers, TRANSACTION } from '../brokers.ts';
import { protocolError } from '../failure.ts';
import type { RecordBatch } from './record-batch.ts';

const ACKNOWLEDGED_BY_ALL = -1;
const TIMEOUT_MS = 10_000;

/**
 * A producer's identity at the brokers: its id, its epoch, and the next sequence number of each partition. The brokers
 * take a request that is repeated with the same sequence numbers once.
 */
export class ProducerSession {
  readonly #brokers: Brokers;
  readonly #transactionalId: string | null;
  readonly #id: bigint;
  readonly #epoch: number;
  /** By topic and partition. */
  readonly #sequences = new Map<string, number>();

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
   * Opens a session. With a transactional id, the new session fences every earlier session of the id, and the brokers
   * abort a transaction that stays open for `transactionMs`.
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
    // Id and epoch −1 take the id from any earlier session. The client's own producer sends 0 and 0, and so the newer
    // process would be the fenced one.
    const given = await initProducerIdV4.api.async(broker, transactionalId, transactionMs, -1n, -1);
    return new ProducerSession(brokers, transactionalId, given);
  }

  /** Resolves once all records are acknowledged. One call at a time for each partition. @throws the brokers' error. */
  async send(leader: number, topic: string, partition: number, batch: RecordBatch): Promise<void> {
    const place = `${topic}/${partition}`;
    const firstSequence = this.#sequences.get(place) ?? 0;
    const broker = await this.#brokers.node(leader);
    if (broker === undefined) {
      throw new RetryableError('no-leader', `no broker leads ${topic}/${partition} at the moment`);
    }
    const bytes = batch.encoded({
      timestamp: Date.now(),
      transactional: this.#transactionalId !== null,
      producerId: this.#id,
      producerEpoch: this.#epoch,
      firstSequence,
    });
    await produce.async(broker, this.#transactionalId, topic, partition, bytes).catch((error: unknown) => {
      // The brokers have these records already, from an attempt whose answer was lost.
      if (protocolError(error) !== 'DUPLICATE_SEQUENCE_NUMBER') throw error;
    });
    this.#sequences.set(place, (firstSequence + batch.count) % 2 ** 31);
  }

  async addPartitions(added: readonly Partition[]): Promise<void> {
    // Version 3, because later versions are for brokers and need rights that a client does not have.
    const topics = [...Map.groupBy(added, ({ topic }) => topic)].map(([name, of]) => ({
      name,
      partitions: of.map(({ partition }) => partition),
    }));
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

/** Produce 9 of one encoded batch to one partition. */
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
