import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { printTuneReport, snippet } from '../../../src/cli/tune/command.ts';
import { json, type Said } from '../captured.ts';
import { circles, MeasuringPlace } from '../measuring.ts';

const figures = z.object({ mrrUniform: z.number(), mrrDegree: z.number(), recall20: z.number() });
const reportSchema = z.object({
  records: z.number(),
  tuned: z.number(),
  trials: z.array(
    z.object({
      settings: z.array(z.string()),
      rounds: z.array(figures.extend({ records: z.number(), score: z.number() })),
    }),
  ),
  best: z.array(z.string()),
  confirmed: z
    .object({
      best: figures,
      current: figures,
      lead: z.record(z.string(), z.object({ mean: z.number(), low: z.number(), high: z.number() })),
    })
    .optional(),
});

const SMALL = ['dim=8', 'training.batchEdges=64', 'training.chunkEdges=32', 'limits.maxEntities=1000'];
const TUNE = ['tune', '--graph', 'follow', ...SMALL.flatMap((setting) => ['--set', setting])];

const measuring = new MeasuringPlace();

async function tune(lines: readonly string[], ...argv: string[]): Promise<Said> {
  const file = join(measuring.here.folder, 'events.ndjson');
  await writeFile(file, `${lines.join('\n')}\n`);
  const said = await measuring.run(...TUNE, '--file', file, ...argv);
  expect(existsSync(join(measuring.here.folder, 'state'))).toBe(false);
  return said;
}

describe('twhin tune', () => {
  it('tries settings on growing parts, and confirms the best on records that no trial has seen', async () => {
    const reports = [];
    for (const odd of [0, 30])
      reports.push(
        reportSchema.parse(json(await tune(circles(odd), '--trials', '3', '--first-round', '50', '--json'))),
      );
    const [first, second] = reports;
    expect(first).toMatchObject({ records: 264, tuned: 224 });
    expect(first?.trials).toHaveLength(4);
    const rounds = first?.trials.map((trial) => trial.rounds.map(({ records }) => records));
    // The current settings and the best third come to the last round.
    expect(rounds?.toSorted((a, b) => a.length - b.length)).toEqual([[75], [75], [75, 224], [75, 224]]);
    expect(first?.trials.filter(({ settings }) => settings.length === 0)).toHaveLength(1);
    expect(first?.best).toEqual(first?.trials[0]?.settings);
    // Only the last 15 % differ: to the trials both streams are one.
    const tried = (report: typeof first) =>
      report?.trials.map(({ settings, rounds: of }) => [settings, of.map(({ score }) => score)]);
    expect(tried(second)).toEqual(tried(first));
    if (first?.confirmed !== undefined) expect(second?.confirmed?.best).not.toEqual(first.confirmed.best);
  });

  it('refuses where nothing is left to try, and where a stream has nothing to predict', async () => {
    const keys = 'beta learningRate negativeWeight updatesPerEdge uniformNegatives initScale'.split(' ');
    const fixed = [...keys.map((key) => `${key}=8`), 'inBatchNegatives=true'].flatMap((each) => [
      '--set',
      each,
    ]);
    const none = await tune(circles(), ...fixed, '--trials', '2');
    expect(none.code).toBe(2);
    expect(none.err.join('\n')).toContain('twhin: nothing is left to try');
    const short = await tune(circles().slice(0, 3), '--trials', '2');
    expect(short.err.join('\n')).toContain('twhin: nothing can be predicted');
  });
});

it('settings become sections of a configuration', () => {
  expect(snippet(['model.beta=12', 'training.updatesPerEdge=8', 'training.inBatchNegatives=false'])).toEqual([
    'model: { beta: 12 },',
    'training: { updatesPerEdge: 8, inBatchNegatives: false },',
  ]);
});

it.each([
  [-0.003, 'keep the current settings'],
  [0.003, undefined],
])('a lead at recall confirms the best trial where its interval is above 0: low end %d', (low, said) => {
  const of = { mrrUniform: 0.2, mrrDegree: 0.1, recall20: 0.3 };
  const lead = { follows: { mean: 0.01, low, high: 0.02 } };
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line);
  printTuneReport(
    {
      ...{ graph: 'follow', records: 10, tuned: 8, holdout: 0.2, trials: [], seconds: 1 },
      ...{ best: ['model.beta=12'], confirmed: { best: of, current: of, lead } },
    },
    { out: say, err: say, status: say },
  );
  expect(lines.join('\n').includes('keep the current settings')).toBe(said !== undefined);
});
