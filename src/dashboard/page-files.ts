import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';

/** A file of the page, ready to be sent. */
export interface PageFile {
  readonly type: string;
  readonly body: Buffer;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** The complete list: no request ever reads another file. */
const OWN = [
  'style.css',
  'icon.svg',
  'main.js',
  'api.js',
  'charts.js',
  'elements.js',
  'format.js',
  'fresh.js',
  'right.js',
  'safe.js',
  'size.js',
  'entity.js',
  'map.js',
  'replays.js',
];

/** The files of the dashboard's page, by path. */
export async function readPage(): Promise<ReadonlyMap<string, PageFile>> {
  const own = join(import.meta.dirname, 'page');
  const charts = dirname(createRequire(import.meta.url).resolve('uplot'));
  const files = [
    ['/', join(own, 'index.html')],
    ...OWN.map((name) => [`/${name}`, join(own, name)] as const),
    ['/uplot.js', join(charts, 'uPlot.iife.min.js')],
    ['/uplot.css', join(charts, 'uPlot.min.css')],
  ] as const;
  const page = new Map<string, PageFile>();
  for (const [path, file] of files) {
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    page.set(path, { type, body: await readFile(file) });
  }
  return page;
}
