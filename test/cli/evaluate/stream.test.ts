import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { realWorld } from '../../../src/cli/context.ts';
import { json, place, type Said } from '../captured.ts';
import { MeasuringPlace } from '../measuring.ts';

const interval = z.object({ mean: z.number(), low: z.number(), high: z.number() });
const reportSchema = z.object({
  graph: z.string(),
  records: z.number(),
  edges: z.number(),
  users: z.number(),
  usersInAll: z.number(),
  seeds: z.number(),
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
const EVALUATE = ['evaluate', 'stream', '--graph', 'follow', ...SMALL];

/** Two circles of 12 users who follow each other in the circle, one user after the other, in a random-looking order. */
function circles(): string[] {
  const pairs: [number, number][] = [];
  for (let a = 0; a < 24; a++)
    for (let b = 0; b < 24; b++) if (a !== b && a % 2 === b % 2) pairs.push([a, b]);
  pairs.sort(([a, b], [c, d]) => ((a * 31 + b * 17) % 97) - ((c * 31 + d * 17) % 97) || a - c || b - d);
  return pairs.map(([a, b], i) =>
    JSON.stringify({
      followerId: `u${a}`,
      followedId: `u${b}`,
      action: 'follow',
      at: 1_700_000_000_000 + i * 1_000,
    }),
  );
}

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

describe('twhin evaluate stream', () => {
  it('measures both protocols on a file, and leaves nothing behind', async () => {
    const file = await fileOf(circles());
    const said = await evaluate('--file', file, '--seeds', '2', '--json');
    expect(said.err.filter((line) => line.startsWith('twhin:'))).toEqual([]);
    const report = reportSchema.parse(json(said));
    expect(report).toMatchObject({ graph: 'follow', records: 264, edges: 264, seeds: 2 });
    const [follows] = report.lists;
    expect(follows).toMatchObject({ scope: 'follows', candidates: 24 });
    expect(Object.keys(follows!.ways)).toEqual([
      'vectors',
      'popularity',
      'recent popularity',
      'common neighbours',
      'chance',
      'preset twhin',
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
      const { lists, prequential } = reportSchema.parse(json(await evaluate('--no-paper', '--json')));
      return { lists, prequential };
    };
    const first = await figures();
    expect(await figures()).toEqual(first);
    expect(Object.keys(first.lists[0]!.ways)).not.toContain('preset twhin');

    const asked = ['--no-paper', '--no-prequential', '--interests', '--passes', '3', '--json'];
    const { lists, prequential } = reportSchema.parse(json(await evaluate(...asked)));
    expect(prequential).toEqual([]);
    const { ways } = lists[0]!;
    expect(Object.keys(ways).slice(0, 4)).toEqual(['vectors', 'mixture', '3 passes', 'popularity']);
    expect(ways['vectors']).toEqual(first.lists[0]!.ways['vectors']);
    const ndcg = (way: string) => ways[way]!.figures['ndcg20']!.mean;
    // Whom a user follows lies in the user's circle: each of these has learned the circles.
    for (const way of ['mixture', '3 passes']) expect(ndcg(way), way).toBeGreaterThan(ndcg('chance'));
    expect(existsSync(join(measuring.here.folder, 'state'))).toBe(false);
  });

  it('says which records can’t be used, by topic and code, and which relations have no edge', async () => {
    await measuring.here.run('topics', 'apply');
    const path = await fileOf([...circles(), 'nonsense', 'more nonsense', '{"followerId":"u1"}']);
    await measuring.here.run('feed', path, '--topic', 'follow', '--raw');
    const asked = ['--no-paper', '--no-prequential'];
    const text = (await evaluate(...asked)).out.join('\n');
    expect(text).toMatch(
      /^ {2}twhin\.follow: 2 unusable \(not-json\), such as offset \d+ of partition \d: the value is not JSON: ".*nonsense"$/m,
    );
    expect(text).toMatch(/^ {2}twhin\.follow: 1 unusable \(wrong-shape\), such as .*: followedId: /m);
    expect(text).toMatch(/^ {2}no edges of clicks, promotes$/m);
    expect(json(await evaluate(...asked, '--json'))).toMatchObject({
      unusable: expect.arrayContaining([
        expect.objectContaining({ topic: 'twhin.follow', code: 'not-json', records: 2 }),
        expect.objectContaining({ topic: 'twhin.follow', code: 'wrong-shape', records: 1 }),
      ]),
      withoutEdges: ['clicks', 'promotes'],
    });
  });

  it('ranks over all shards what it ranks in a whole graph', async () => {
    const file = await fileOf(circles());
    // Shards learn from one another between batches, so that one batch for all would teach them little.
    const many = ['--set', 'training.batchEdges=8', '--set', 'training.updatesPerEdge=64'];
    const asked = ['--file', file, '--json', ...many];
    const [whole, cut] = [
      reportSchema.parse(json(await evaluate(...asked, '--no-paper'))),
      reportSchema.parse(json(await evaluate(...asked, '--shards', '2'))),
    ];
    const [follows] = cut.lists;
    // Of the whole graph: a shard alone would have about half of the candidates.
    expect(follows).toMatchObject({ scope: 'follows', candidates: 24 });
    const ndcg = (way: string) => follows!.ways[way]!.figures['ndcg20']!.mean;
    expect(ndcg('vectors')).toBeGreaterThan(ndcg('chance'));
    // Each of the 264 edges but the first 52 is ranked, and is of one of these groups.
    const groups = ['both known', 'actor new', 'target new', 'repeated'];
    const edges = ({ prequential }: typeof cut) =>
      prequential.reduce((sum, { slice, edges }) => sum + (groups.includes(slice) ? edges : 0), 0);
    expect([edges(whole), edges(cut)]).toEqual([212, 212]);
    const known = (of: typeof cut) => of.prequential.find(({ slice }) => slice === 'both known')!;
    expect(known(cut).edges).toBeGreaterThan(150);
    // With as many candidates, of all shards.
    const chance = (of: typeof cut) => known(of).figures['uniform']!['chance']!.mrr.mean;
    expect(chance(cut)).toBeCloseTo(chance(whole), 2);
    // The paper's preset is trained in one updater, whose edges come in another order.
    expect(Object.keys(follows!.ways)).toContain('preset twhin');
    expect(Object.keys(known(cut).figures['uniform']!)).not.toContain('preset twhin');
    expect(existsSync(join(measuring.here.folder, 'state'))).toBe(false);
  });

  it('leaves out the prequential part of shards where it is told to', async () => {
    const asked = ['--file', await fileOf(circles()), '--shards', '2', '--no-paper', '--json'];
    const { lists, prequential } = reportSchema.parse(json(await evaluate(...asked, '--no-prequential')));
    expect(prequential).toEqual([]);
    expect(lists[0]).toMatchObject({ scope: 'follows', candidates: 24 });
    const refused = await evaluate(...asked, '--seeds', '2');
    expect(refused.code).toBe(2);
    expect(refused.err.join('\n')).toMatch(/--shards: seeds are compared edge by edge, .* seen --seeds 2/);
  });

  it('prints tables for a person', async () => {
    const said = await evaluate('--file', await fileOf(circles()), '--no-paper', '--users', '5');
    expect(said.code).toBe(0);
    const text = said.out.join('\n');
    expect(text).toMatch(
      /follows: the newest 15 % foretold for 5 users, of users drawn from \d+; all 24 candidates ranked/,
    );
    expect(text).toMatch(/^ {2}common neighbours +[.\d]+ \[[.\d]+ [.\d]+\]/m);
    expect(text).toContain(
      'MRR of edges before they are learned, among 1,000 candidates drawn in proportion',
    );
  });

  it.each([
    ['an unknown graph', ['--graph', 'nothing'], 2, /^twhin: --graph: expected one of engagement, follow/],
    [
      'a file and a start',
      ['--file', 'x', '--from', '2h'],
      2,
      /cannot be done as asked.*\n.*--from, --until: a file is read/,
    ],
    ['a format without a file', ['--format', 'csv'], 2, /--format, --topic: they say what --file holds/],
    [
      'a topic of another graph',
      ['--file', 'x', '--topic', 'search'],
      2,
      /--topic: follow reads follow, ad-click/,
    ],
    [
      'Higgs on the wrong graph',
      ['--file', 'x', '--format', 'higgs'],
      2,
      /--format higgs holds engagement events/,
    ],
    [
      'another state folder',
      ['--set', 'state=/x'],
      2,
      /--set: an evaluation reads where the live graph does/,
    ],
    ['a missing file', ['--file', 'missing.ndjson'], 2, /no such file: .*missing\.ndjson/],
    ['a share above 1', ['--holdout', '150%'], 2, /expected a share such as 15%/],
  ])('refuses %s', async (_, argv, code, message) => {
    const said = await evaluate(...argv);
    expect(said.code).toBe(code);
    expect(said.err.join('\n')).toMatch(message);
    expect(said.out).toEqual([]);
  });

  it('names the lines that hold no event, and trains nothing', async () => {
    const file = await fileOf([...circles().slice(0, 5), 'nonsense', '{"followerId":1}']);
    const said = await evaluate('--file', file);
    expect(said.code).toBe(2);
    expect(said.err.join('\n')).toMatch(
      /2 of the lines hold no follow event; nothing was trained:\n.*ndjson:6: not-json.*\n.*ndjson:7: /,
    );
  });

  it('says what is missing where nothing can be foretold', async () => {
    const empty = await evaluate('--file', await fileOf([]));
    expect(empty.code).toBe(2);
    expect(empty.err.join('\n')).toMatch(/events.ndjson holds no event/);
    const once = await evaluate('--file', await fileOf(circles().slice(0, 3)));
    expect(once.code).toBe(2);
    expect(once.err.join('\n')).toMatch(
      /nothing can be foretold: of 3 records of follow, 3 change an edge, .*\n {2}no edges of clicks, promotes$/,
    );
  });

  it('removes the temporary store when interrupted', async () => {
    const file = await fileOf(circles());
    const before = realWorld.connect;
    const interrupting = await place(
      {},
      {
        ...realWorld,
        connect: async (settings, log) => {
          const connection = await before(settings, log);
          setTimeout(() => process.emit('SIGINT'), 300);
          return connection;
        },
      },
    );
    try {
      const said = await interrupting.run(...EVALUATE, '--file', file, '--seeds', '50');
      expect(said.code).toBe(1);
      expect(said.err.join('\n')).toContain('[interrupted]');
      expect((await measuring.left()).filter((name) => name.startsWith('twhin-work'))).toEqual([]);
    } finally {
      await interrupting.remove();
    }
  });
});
