import { AssignerProtocol, type Cluster, type GroupMember, Kafka, logLevel } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { type Claim, chooseReader, oneReader } from '../../../../src/adapters/kafka/group/one-reader.ts';

const member = (memberId: string, claim: Partial<Claim> = {}) => ({
  ...{ memberId, owned: null, sequence: 0, standby: false },
  ...claim,
});

describe('the one reader of a group', () => {
  const [a, b, c] = [member('a'), member('b'), member('c')];

  test.each([
    ['whose id comes first, among equals', [c, a, b], 'a'],
    ['no standby, before standbys', [member('a', { standby: true }), c, b], 'b'],
    ['who read last, before who never did', [a, member('b', { sequence: 3, owned: 'gone' })], 'b'],
    ['who read later', [member('a', { sequence: 3 }), member('b', { sequence: 4 })], 'b'],
    ['a standby that read, before one newly started', [a, member('b', { sequence: 1, standby: true })], 'b'],
    [
      'who never stopped, whatever others say',
      [member('a', { sequence: 9 }), member('b', { owned: 'b' })],
      'b',
    ],
    ['not one put out, which owned them under another id', [a, member('b', { owned: 'b-before' })], 'a'],
    ['nobody, where nobody is', [], undefined],
  ])('is the one %s', (_what, members, expected) => {
    expect(chooseReader(members)).toBe(expected);
    expect(chooseReader([...members].reverse())).toBe(expected);
  });

  test('gets every partition of every topic; the others get nothing', async () => {
    const cluster = clusterWith({ likes: [0, 1, 2], follows: [0] });
    const topics = ['likes', 'follows'];
    const joining = (memberId: string, claim: Claim): GroupMember => ({
      memberId,
      memberMetadata: assigner(cluster, claim).protocol({ topics }).metadata,
    });
    const assignments = await assigner(cluster, member('x')).assign({
      topics,
      members: [
        joining('a', { owned: null, sequence: 7, standby: true }),
        joining('b', { owned: null, sequence: 8, standby: true }),
        // Of another program that calls its way of assigning the same.
        { memberId: '0', memberMetadata: foreign(topics, 'not ours') },
        { memberId: '1', memberMetadata: foreign(topics, '{"owned":"1"}') },
      ],
    });
    expect(assignments.map(({ memberId }) => memberId)).toEqual(['b']);
    expect(AssignerProtocol.MemberAssignment.decode(assignments[0]!.memberAssignment)).toMatchObject({
      assignment: { likes: [0, 1, 2], follows: [0] },
    });
  });
});

function assigner(cluster: Cluster, claim: Claim) {
  const kafka = new Kafka({ brokers: ['127.0.0.1:1'], logLevel: logLevel.NOTHING });
  return oneReader(() => claim)({ cluster, groupId: 'g', logger: kafka.logger() });
}

function foreign(topics: string[], said: string): Buffer {
  return AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.from(said) });
}

/** A cluster of kafkajs, asked for nothing but what is here. */
function clusterWith(partitions: Record<string, number[]>): Cluster {
  const given: Cluster[] = [];
  const kafka = new Kafka({ brokers: ['127.0.0.1:1'], logLevel: logLevel.NOTHING });
  const capture = ({ cluster }: { cluster: Cluster }) => {
    given.push(cluster);
    return {
      name: '',
      version: 0,
      assign: async () => [],
      protocol: () => ({ name: '', metadata: Buffer.alloc(0) }),
    };
  };
  kafka.consumer({ groupId: 'g', partitionAssigners: [capture] });
  return Object.assign(given[0]!, {
    findTopicPartitionMetadata: (topic: string) =>
      (partitions[topic] ?? []).map((partitionId) => ({
        ...{ partitionId, partitionErrorCode: 0, leader: 1, replicas: [1], isr: [1] },
      })),
  });
}
