import type { Table } from '../../model/table.ts';
import type { Random } from '../../sampling/random.ts';
import type { TrainerSettings } from './trainer.ts';

/** Adds a number uniform in ±scale to each number of a vector. */
export function scatter(vector: Float32Array, scale: number, random: Random): void {
  for (let k = 0; k < vector.length; k++) vector[k]! += (2 * random.uniform() - 1) * scale;
}

/**
 * Starts rows at random, within the unit ball where the model has one. rows: [n] ascending, each once, all zero.
 * The mean of an entity's neighbours was tried in its place, and ranked worse: docs/adr/010-recipe.md.
 */
export function startRows(
  rows: Int32Array,
  table: Table,
  { initScale, model }: Pick<TrainerSettings, 'initScale' | 'model'>,
  random: Random,
): void {
  for (const row of rows) scatter(table.vector(row), initScale, random);
  if (model.unitBall) for (const row of rows) shrink(table.vector(row));
}

function shrink(vector: Float32Array): void {
  let square = 0;
  for (let k = 0; k < vector.length; k++) square += vector[k]! * vector[k]!;
  if (square <= 1) return;
  const factor = 1 / Math.sqrt(square);
  for (let k = 0; k < vector.length; k++) vector[k]! *= factor;
}
