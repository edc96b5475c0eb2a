import type { GraphConfig } from '../../config/resolve.ts';
import { CATEGORIES, type LinkPrediction, type RankFigures } from '../../evaluation/graph/link-prediction.ts';
import type { KnowledgeGraph } from '../../evaluation/graph/triples.ts';
import { count } from '../format.ts';
import type { Output } from '../output.ts';
import { printTable } from '../table.ts';

/** Figures of one seed, and what they cost. */
export interface SeedResult {
  readonly seed: number;
  readonly figures: LinkPrediction;
  readonly trainSeconds: number;
  readonly rankSeconds: number;
}

/** What `twhin evaluate kg --json` prints. The figures of all seeds are means; `spread` is max − min over the seeds. */
export interface KgReport {
  readonly mrr: number;
  readonly hits1: number;
  readonly hits3: number;
  readonly hits10: number;
  readonly meanRank: number;
  readonly spread: { readonly mrr: number; readonly hits10: number };
  readonly ranked: 'valid' | 'test';
  readonly triples: { readonly train: number; readonly ranked: number };
  readonly entities: number;
  readonly relations: number;
  readonly passes: number;
  readonly dim: number;
  readonly scorer: string;
  readonly updatesPerEdge: number;
  /** Updates of training a second of the clock, reading and writing of the store included. */
  readonly updatesPerS: number;
  readonly results: readonly SeedResult[];
}

export function reportOf(
  triples: KnowledgeGraph,
  { trainer }: GraphConfig,
  run: { passes: number; rank: 'valid' | 'test'; results: readonly SeedResult[] },
): KgReport {
  const { results, passes, rank } = run;
  const values = (of: (all: RankFigures) => number) => results.map(({ figures }) => of(figures.all));
  const mean = (of: (all: RankFigures) => number) => values(of).reduce((a, b) => a + b, 0) / results.length;
  const spread = (of: (all: RankFigures) => number) => Math.max(...values(of)) - Math.min(...values(of));
  const seconds = results.reduce((sum, { trainSeconds }) => sum + trainSeconds, 0);
  const updates = triples.train.lhs.length * passes * trainer.updatesPerEdge * results.length;
  return {
    mrr: mean(({ mrr }) => mrr),
    hits1: mean(({ hits1 }) => hits1),
    hits3: mean(({ hits3 }) => hits3),
    hits10: mean(({ hits10 }) => hits10),
    meanRank: mean(({ meanRank }) => meanRank),
    spread: { mrr: spread(({ mrr }) => mrr), hits10: spread(({ hits10 }) => hits10) },
    ranked: rank,
    triples: { train: triples.train.lhs.length, ranked: triples[rank].lhs.length },
    entities: triples.entities.length,
    relations: triples.relations.length,
    passes,
    dim: trainer.model.dim,
    scorer: trainer.model.scorer,
    updatesPerEdge: trainer.updatesPerEdge,
    updatesPerS: Math.round(updates / seconds),
    results,
  };
}

/** Most relations in the printed table; all of them are in the JSON. */
const RELATIONS = 20;
const HEADER = ['', 'questions', 'MRR', 'hits@1', 'hits@3', 'hits@10', 'mean rank'];

export function printKgReport(report: KgReport, output: Output): void {
  const { entities, relations, triples, passes, updatesPerEdge, dim, scorer, results } = report;
  output.out(
    `${count(entities)} entities, ${count(relations)} relations, ${count(triples.train)} training triples; ` +
      `${passes === 1 ? `a stream with ${updatesPerEdge} updates a triple` : `${passes} passes`}; ${scorer}, dim ${dim}`,
  );
  const [first] = results;
  if (first === undefined) return;
  const { figures } = first;
  if (results.length > 1) {
    const seeds = results.map(({ seed, figures: { all } }) => row(`seed ${seed}`, all));
    printTable([HEADER, ...seeds], output);
    output.out(
      `mean of ${results.length} seeds: MRR ${report.mrr.toFixed(4)}, hits@10 ${report.hits10.toFixed(4)}; from least to ` +
        `most: MRR ${report.spread.mrr.toFixed(4)}, hits@10 ${report.spread.hits10.toFixed(4)}; below, seed ${first.seed}:`,
    );
  }
  const categories = CATEGORIES.flatMap((name) => {
    const found = figures.byCategory[name];
    return found === undefined
      ? []
      : [row(`${name}, tails`, found.tails), row(`${name}, heads`, found.heads)];
  });
  const all = Object.entries(figures.byRelation).sort(([, a], [, b]) => b.questions - a.questions);
  const shown = all.slice(0, RELATIONS).map(([name, found]) => row(name, found));
  printTable(
    [
      HEADER,
      row('all', figures.all),
      row('tails', figures.tails),
      row('heads', figures.heads),
      ...Object.entries(figures.bySnapshot ?? {}).map(([snapshot, found]) =>
        row(`snapshot ${snapshot}`, found),
      ),
      ...categories,
      ...shown,
    ],
    output,
  );
  if (all.length > RELATIONS) output.out(`  and ${all.length - RELATIONS} more relations: --json has all`);
  const { unseen } = figures;
  if (unseen.entities + unseen.relations > 0) {
    output.out(
      `${count(unseen.entities)} triples have an entity without training, which lies at the origin; ` +
        `${count(unseen.relations)} have a relation without training, which has its random start`,
    );
  }
  output.out(
    `trained in ${first.trainSeconds.toFixed(1)} s (${count(report.updatesPerS)} updates/s), ranked in ${first.rankSeconds.toFixed(1)} s`,
  );
}

function row(name: string, { questions, mrr, hits1, hits3, hits10, meanRank }: RankFigures): string[] {
  const figures = [mrr, hits1, hits3, hits10].map((value) => value.toFixed(4));
  return [
    name.length > 48 ? `${name.slice(0, 47)}…` : name,
    count(questions),
    ...figures,
    meanRank.toFixed(1),
  ];
}
