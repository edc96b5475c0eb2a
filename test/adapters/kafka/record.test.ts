import { expect, test } from 'vitest';
import { recordOf } from '../../../src/adapters/kafka/record.ts';

const message = { key: null, value: null, timestamp: '5', attributes: 0, offset: '7' };

test('headers: of a name that comes twice the last, and none that is null', () => {
  // As kafkajs gives it, though its types say otherwise.
  const headers = JSON.parse('{"gone":null,"twice":["a","b"],"end":["a",null]}');
  const record = recordOf('t', 1, { ...message, headers: { ...headers, bytes: Buffer.from([1]) } });
  expect(record).toEqual({
    ...{ topic: 't', partition: 1, offset: 7, timestamp: 5, key: null, value: null },
    headers: { twice: Buffer.from('b'), bytes: Buffer.from([1]) },
  });
  expect(recordOf('t', 1, { ...message, headers: JSON.parse('{"gone":null}') })).not.toHaveProperty(
    'headers',
  );
});
