import { expect, test } from 'vitest';
import { z } from 'zod';
import { KEYS } from '../../src/config/reloading.ts';
import { configFileSchema } from '../../src/config/schema.ts';

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

/** Every key that a person can write, as the schema has it: sections are gone into, lists and records are keys. */
function keysOf({ properties = {} }: JsonSchema, path = ''): string[] {
  return Object.entries(properties).flatMap(([name, inner]) =>
    inner.properties === undefined ? [`${path}${name}`] : keysOf(inner, `${path}${name}.`),
  );
}

test('of every key of the schema it is known when a change of it counts', () => {
  const schema = z
    .object({ properties: z.record(z.string(), z.json()) })
    .parse(z.toJSONSchema(configFileSchema, { io: 'input', unrepresentable: 'any' }));
  const keys = keysOf(Object(schema));
  expect(keys).toContain('publish.epsilon');
  expect(keys).toContain('graphs');
  expect(KEYS.map(({ key }) => key).sort()).toEqual(keys.sort());
});

test('at once counts what bounds rates, epsilon and the level of the log, and nothing that a store is made of', () => {
  expect(KEYS.filter(({ counts }) => counts === 'at once').map(({ key }) => key)).toEqual([
    'training.batchEdges',
    'training.lingerMs',
    'commit.everyEdges',
    'commit.everyMs',
    'commit.mostRows',
    'publish.epsilon',
    'publish.maxAgeMs',
    'publish.maxOutbox',
    'limits.queueBytes',
    'limits.readyLagMs',
    'limits.stopMs',
    'log.level',
  ]);
});
