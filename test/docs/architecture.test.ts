import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TRANSITIONS } from '../../src/pipeline/lifecycle.ts';
import { readSource } from '../architecture/source-file.ts';
import { blocks } from './blocks.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(ROOT, 'docs', 'architecture.md'), 'utf8');
const [rooms = '', phases = ''] = blocks('docs/architecture.md', 'mermaid');

test('every file named on the page exists', () => {
  const missing: string[] = [];
  let count = 0;
  for (const line of page.split('\n')) {
    // Within a line, a bare file name is in the folder of the last full path before it.
    let folder: string | undefined;
    for (const [, name = ''] of line.matchAll(/`([\w./-]+\.ts)`/g)) {
      if (name.includes('/')) folder = name.slice(0, name.lastIndexOf('/'));
      const path = name.includes('/') ? name : `${folder}/${name}`;
      if (!existsSync(join(ROOT, path))) missing.push(path);
      count++;
    }
  }
  expect(missing).toEqual([]);
  expect(count).toBeGreaterThan(40);
});

test('each arrow between rooms is an import that the sources make', () => {
  const imports = globSync('{src,topics,demo}/**/*.ts', { cwd: ROOT }).flatMap((path) => {
    const from = roomOf(path.replaceAll('\\', '/'));
    return readSource(ROOT, path).imports.map(({ to }) => `${from} --> ${roomOf(to)}`);
  });
  // Of the rooms within the pipeline, the picture shows each by its own name.
  const made = new Set(imports.flatMap((arrow) => [arrow, arrow.replaceAll(/pipeline\/\w+/g, 'pipeline')]));
  const drawn = arrowsOf(rooms.replaceAll(/-- "[^"]*" -->/g, '-->')).map(
    ({ from, to }) => `${from} --> ${to}`,
  );
  const named = drawn.map((arrow) =>
    // `graph` is a word of the diagram's own language.
    arrow.replaceAll(/\b(reading|exchange|training|writing)\b/g, 'pipeline/$1').replaceAll('graph_', 'graph'),
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((arrow) => !made.has(arrow))).toEqual([]);
});

test('the diagram of phases has every transition of the table, and no other', () => {
  const alive = /state alive \{(.*?)\}/s.exec(phases)?.[1] ?? '';
  const within = new Set(arrowsOf(alive).flatMap(({ from, to }) => [from, to]));
  within.delete('[*]');
  const drawn = arrowsOf(phases)
    .filter(({ from }) => from !== '[*]')
    .flatMap(({ from, to, events }) =>
      (from === 'alive' ? [...within] : [from]).flatMap((phase) =>
        events.map((event) => `${phase} --> ${to}: ${event}`.replaceAll('taking_over', 'taking-over')),
      ),
    );
  const table = Object.entries(TRANSITIONS).flatMap(([phase, events]) =>
    Object.entries(events).flatMap(([event, next]) =>
      next === phase ? [] : [`${phase} --> ${next}: ${event}`],
    ),
  );
  expect(drawn.sort()).toEqual(table.sort());
  expect(phases).toContain('[*] --> loading');
});

test('the layout in CONTRIBUTING has a row for each folder of sources', () => {
  const contributing = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  const rows = contributing.split('\n').filter((line) => line.startsWith('| `'));
  const named = new Set(
    rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name)),
  );
  const folders = globSync('{src/*,bench,broker,demo,docs,k8s,monitoring,test,topics}/', { cwd: ROOT });
  expect(folders.length).toBeGreaterThan(20);
  expect(
    folders
      .map((path) => `${path.replaceAll('\\', '/').replace(/\/$/, '')}/`)
      .filter((path) => !named.has(path)),
  ).toEqual([]);
});

interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly events: readonly string[];
}

/** The arrows of a diagram; `a --> b --> c` on one line is two. */
function arrowsOf(diagram: string): Arrow[] {
  return diagram.split('\n').flatMap((line) => {
    const [way = '', events = ''] = line.split(':');
    const stops = way.split('-->').map((stop) => stop.trim());
    return stops.slice(1).map((to, i) => ({ from: stops[i] ?? '', to, events: events.trim().split(', ') }));
  });
}

/** The room of a source: its folder below `src/`, or the folder at the root; within the pipeline one folder deeper. */
function roomOf(path: string): string {
  const [room = '', inner = '', file] = path.replace(/^src\//, '').split('/');
  return room === 'pipeline' && file !== undefined ? `pipeline/${inner}` : room;
}
