import { expect, test } from 'vitest';
import { z } from 'zod';
import { KEYS } from '../../src/config/changes.ts';
import { configFileSchema } from '../../src/config/schema.ts';

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

/** Every key that a person can write, found by walking the JSON Schema: a section is walked, a list or a record is a key. */
function keysOf({ properties = {} }: JsonSchema, path = ''): string[] {
  return Object.entries(properties).flatMap(([name, inner]) =>
    inner.properties === undefined ? [`${path}${name}`] : keysOf(inner, `${path}${name}.`),
  );
}

test('KEYS has every key of the schema once', () => {
  const schema = z
    .object({ properties: z.record(z.string(), z.json()) })
    .parse(z.toJSONSchema(configFileSchema, { io: 'input', unrepresentable: 'any' }));
  const keys = keysOf(Object(schema));
  expect(keys).toContain('publish.epsilon');
  expect(keys).toContain('graphs');
  expect(KEYS.map(({ key }) => key).sort()).toEqual(keys.sort());
});

test('rates, bounds, epsilon and the log level count at once, and nothing that shapes a store', () => {
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
