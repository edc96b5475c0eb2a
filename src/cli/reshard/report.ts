import { existsSync } from 'node:fs';
import type { Head } from '../../graph/head.ts';
import { databaseFolder, imagePath } from '../../state/open.ts';
import { FIRST_STORE, type StorePlace } from '../../state/places.ts';
import { count, total } from '../format.ts';
import type { Output } from '../output.ts';
import type { ReshardPlan } from './plan.ts';
import type { PresentStores } from './present-stores.ts';
import type { Resharded } from './reshard.ts';

/** Prints for a person what was made, what to do next, and how to go back. */
export function printDone(plan: ReshardPlan, done: Resharded, output: Output): void {
  const { graph, next, present, targets } = plan;
  const { before, after, heads, oldPlaces } = done;
  output.out(`${graph}  (${parts(present.length)} to ${parts(next.length)})`);
  output.out(`  entities    ${listed(after.entities)}`);
  if (total(done.added) > 0)
    output.out(`              ${listed(done.added)} of these only other shards had read; they begin anew`);
  output.out(`  live edges  ${listed(after.live)}; ${count(after.removed)} removed`);
  output.out(`  digests     edges ${before.edges}, and ${after.edges} in the new stores`);
  output.out(`              vectors ${before.vectors}, and ${after.vectors} in the new stores`);
  heads.forEach((head, i) => {
    output.out(`  ${head.graph}  ${targets[i]!.folder}: ${count(ownEntities(head))} entities of its own`);
  });
  printSteps('Next, in this order:', nextSteps(plan), output);
  printSteps('To go back, with all updaters of the graph stopped:', backSteps(plan), output);
  output.out('Once the new stores run well, remove the old ones:');
  for (const folder of leftovers(oldPlaces)) output.out(`  ${folder}`);
}

/** Prints for a person what would be made. */
export function printPlan(plan: ReshardPlan, { heads }: PresentStores, output: Output): void {
  const { graph, present, next, targets } = plan;
  output.out(`${graph}  (${parts(present.length)} to ${parts(next.length)}; nothing was written)`);
  output.out(`  ${count(heads.reduce((sum, head) => sum + ownEntities(head), 0))} entities`);
  output.out(`  ${count(heads.reduce((sum, head) => sum + ownEdges(head), 0))} live edges`);
  for (const { folder } of targets) output.out(`  would make ${folder}`);
}

/** The result for `--json`. */
export function summary(plan: ReshardPlan, { heads, places }: PresentStores, done: Resharded | undefined) {
  const { graph, present, next, targets } = plan;
  return {
    graph,
    from: present.length,
    to: next.length,
    dryRun: done === undefined,
    present: heads.map((head, i) => ({ ...counted(head), folder: places[i]!.folder })),
    new: targets.map(({ graph: name, folder }, i) => ({
      ...(done ? counted(done.heads[i]!) : { graph: name }),
      folder,
    })),
    ...(done && {
      digests: { before: digests(done.before), after: digests(done.after) },
      entities: done.after.entities,
      edges: done.after.live,
      removed: done.after.removed,
      added: done.added,
      next: nextSteps(plan),
      back: backSteps(plan),
      old: leftovers(done.oldPlaces),
    }),
  };
}

function nextSteps({ graph, present, next, internalTopics }: ReshardPlan): string[] {
  const topics = internalTopics.join(' and ');
  return [
    ...(present.length > 1 ? [`delete the topics ${topics}, which have a partition for each old shard`] : []),
    `set graphs.${graph}.shards to ${next.length} in twhin.config.ts, wherever the graph runs`,
    ...(next.length > 1 ? [`twhin topics apply, which makes ${topics} with ${next.length} partitions`] : []),
    `twhin run --graph ${graph}, or a process for each shard, and check with twhin stats --graph ${graph}`,
  ];
}

function backSteps({ graph, present, next, internalTopics }: ReshardPlan): string[] {
  const topics = internalTopics.join(' and ');
  const reread = internalTopics.map((topic) => ` --reread ${topic}`).join('');
  return [
    ...(next.length > 1 ? [`delete the topics ${topics}, if made again`] : []),
    `set graphs.${graph}.shards back to ${present.length}`,
    ...(present.length > 1
      ? [`twhin topics apply, which makes ${topics} with ${present.length} partitions`]
      : []),
    `twhin run --graph ${graph}${
      present.length > 1 ? `${reread}, the first time, since the old stores know the old topics` : ''
    }; what came since is read and learned again`,
  ];
}

function printSteps(title: string, steps: readonly string[], output: Output): void {
  output.out(title);
  steps.forEach((step, i) => {
    output.out(`  ${i + 1}. ${step}`);
  });
}

/** What belongs to the old stores alone: their folders can hold new stores, too. */
function leftovers(places: readonly StorePlace[]): string[] {
  return places.flatMap((place) =>
    place.name === FIRST_STORE
      ? [databaseFolder(place), imagePath(place)].filter((path) => existsSync(path))
      : [place.folder],
  );
}

function counted(head: Head) {
  return {
    graph: head.graph,
    entities: ownEntities(head),
    edges: ownEdges(head),
    step: head.step,
    offsets: head.offsets,
  };
}

function digests({ edges, vectors }: Resharded['before']) {
  return { edges, vectors };
}

function ownEntities({ shard, entities }: Head): number {
  return total(shard?.entities ?? entities);
}

function ownEdges({ shard, edges }: Head): number {
  return total(shard?.edges ?? edges);
}

function listed(counts: Readonly<Record<string, number>>): string {
  const names = Object.entries(counts).map(([name, n]) => `${count(n)} ${name}`);
  return `${count(total(counts))}${names.length > 0 ? `: ${names.join(', ')}` : ''}`;
}

function parts(shards: number): string {
  return shards === 1 ? 'whole' : `${shards} shards`;
}
