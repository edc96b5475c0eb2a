import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { realWorld } from '../../../src/cli/context.ts';
import { json, own, place, refused, type Said } from '../captured.ts';
import { circles, MeasuringPlace } from '../measuring.ts';

const interval = z.object({ mean: z.number(), low: z.number(), high: z.number() });
const reportSchema = z.object({
  graph: z.string(),
  records: z.number(),
  edges: z.number(),
  users: z.number(),
  usersInAll: z.number(),
  lists: z.array(
    z.object({
      scope: z.string(),
      users: z.number(),
      candidates: z.number(),
      ways: z.record(z.string(), z.object({ figures: z.record(z.string(), interval), coverage: z.number() })),
    }),
  ),
  prequential: z.array(
    z.object({
      slice: z.string(),
      edges: z.number(),
      figures: z.record(z.string(), z.record(z.string(), z.object({ mrr: interval, hits10: interval }))),
    }),
  ),
});

const SMALL = ['--set', 'dim=8', '--set', 'training.batchEdges=64', '--set', 'limits.maxEntities=1000'];
const EVALUATE = ['evaluate', '--graph', 'follow', ...SMALL];

const measuring = new MeasuringPlace();

/** The command with temporary files in the place's own folder. */
async function evaluate(...argv: string[]): Promise<Said> {
  return measuring.run(...EVALUATE, ...argv);
}

async function fileOf(lines: readonly string[]): Promise<string> {
  const path = join(measuring.here.folder, 'events.ndjson');
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

describe('twhin evaluate', () => {
  it('measures both protocols on a file, counts its lines that hold no event, and leaves nothing behind', async () => {
    const file = await fileOf([...circles(), 'nonsense', '{"followerId":1}']);
    const said = await evaluate('--file', file, '--json');
    expect(json(said)).toMatchObject({
      unusable: [
        { code: 'not-json', records: 1, first: { offset: 264 } },
        { code: 'wrong-shape', records: 1, first: { offset: 265 } },
      ],
    });
    expect(said.err.filter((line) => line.startsWith('twhin:'))).toEqual([]);
    const report = reportSchema.parse(json(said));
    expect(report).toMatchObject({ graph: 'follow', records: 266, edges: 264 });
    const [follows] = report.lists;
    expect(follows).toMatchObject({ scope: 'follows', candidates: 24 });
    expect(Object.keys(follows!.ways)).toEqual([
      'vectors',
      'popularity',
      'recent popularity',
      'common neighbours',
      'chance',
    ]);
    // The other circle is half of the candidates; common neighbours alone tell the circles apart without a mistake.
    const ndcg = (way: string) => follows!.ways[way]!.figures['ndcg20']!.mean;
    expect(ndcg('common neighbours')).toBeGreaterThan(2 * ndcg('chance'));
    expect(ndcg('vectors')).toBeGreaterThan(ndcg('chance'));
    const known = report.prequential.find(({ slice }) => slice === 'both known')!;
    expect(known.edges).toBeGreaterThan(150);
    expect(known.figures['uniform']!['vectors']!.mrr.mean).toBeGreaterThan(0);
    expect(existsSync(join(measuring.here.folder, 'state'))).toBe(false);
    expect(existsSync(join(measuring.here.folder, 'log'))).toBe(false);
  });

  it('reads the topics like a replay, and gives the same figures each time', async () => {
    await measuring.here.run('topics', 'apply');
    await measuring.here.run('feed', await fileOf(circles()), '--topic', 'follow');
    const figures = async () => {
      const { lists, prequential } = reportSchema.parse(json(await evaluate('--json')));
      return { lists, prequential };
    };
    expect(await figures()).toEqual(await figures());
    expect(existsSync(join(measuring.here.folder, 'state'))).toBe(false);
  });

  it('says which records can’t be used, by topic and code, and which relations have no edge', async () => {
    await measuring.here.run('topics', 'apply');
    const path = await fileOf([...circles(), 'nonsense', 'more nonsense', '{"followerId":"u1"}']);
    await measuring.here.run('feed', path, '--topic', 'follow', '--raw');
    const text = (await evaluate()).out.join('\n');
    expect(text).toMatch(
      /^ {2}twhin\.follow: 2 unusable \(not-json\), such as offset \d+ of partition \d: the value is not JSON: ".*nonsense"$/m,
    );
    expect(text).toMatch(/^ {2}twhin\.follow: 1 unusable \(wrong-shape\), such as .*: followedId: /m);
    expect(text).toMatch(/^ {2}no edges of clicks, promotes$/m);
    expect(json(await evaluate('--json'))).toMatchObject({
      unusable: expect.arrayContaining([
        expect.objectContaining({ topic: 'twhin.follow', code: 'not-json', records: 2 }),
        expect.objectContaining({ topic: 'twhin.follow', code: 'wrong-shape', records: 1 }),
      ]),
      withoutEdges: ['clicks', 'promotes'],
    });
  });

  it.each([
    ['an unknown graph', ['--graph', 'nothing'], /^twhin: --graph: expected one of engagement, follow/],
    [
      'a file and a start',
      ['--file', 'x', '--from', '2h'],
      /cannot be done as asked.*\n.*--from, --until: a file is read/,
    ],
    ['a topic without a file', ['--topic', 'follow'], /--topic: says what --file holds/],
    [
      'a topic of another graph',
      ['--file', 'x', '--topic', 'search'],
      /--topic: expected one of twhin\.follow, twhin\.ad-click/,
    ],
    [
      'another state folder',
      ['--set', 'state=/x'],
      /--set: events and stores stay where the live graph has them/,
    ],
    ['a missing file', ['--file', 'missing.ndjson'], /no such file: .*missing\.ndjson/],
    ['a share above 1', ['--holdout', '150%'], /expected a share such as 15%/],
  ])('refuses %s', async (_, argv, message) => {
    expect((await refused(evaluate(...argv), 2, message)).out).toEqual([]);
  });

  it('says what is missing where nothing can be predicted', async () => {
    await refused(evaluate('--file', await fileOf([])), 2, /events.ndjson holds no event/);
    await refused(
      evaluate('--file', await fileOf(circles().slice(0, 3))),
      2,
      /nothing can be predicted: of 3 records of follow, 3 change an edge, .*\n {2}no edges of clicks, promotes$/,
    );
  });

  it('removes the temporary store when interrupted', async () => {
    const file = await fileOf(circles());
    const before = realWorld.connect;
    const connect: typeof before = async (settings, log) => {
      const connection = await before(settings, log);
      setTimeout(() => process.emit('SIGINT'), 50);
      return connection;
    };
    const interrupting = await own(place({}, { ...realWorld, connect }));
    const argv = ['--file', file, '--set', 'training.updatesPerEdge=64'];
    await refused(interrupting.run(...EVALUATE, ...argv), 1, '[interrupted]');
    expect((await measuring.left()).filter((name) => name.startsWith('twhin-work'))).toEqual([]);
  });
});
