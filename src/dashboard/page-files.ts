import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** A file of the page, ready to be sent. */
export interface PageFile {
  readonly type: string;
  readonly body: Buffer;
}

const TYPES = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const;

/** All there is, by path: nothing else is ever read, whatever is asked for. */
const OWN = {
  '/': 'index.html',
  '/style.css': 'style.css',
  '/icon.svg': 'icon.svg',
  '/main.js': 'main.js',
  '/api.js': 'api.js',
  '/charts.js': 'charts.js',
  '/elements.js': 'elements.js',
  '/format.js': 'format.js',
  '/fresh.js': 'fresh.js',
  '/right.js': 'right.js',
  '/safe.js': 'safe.js',
  '/size.js': 'size.js',
  '/entity.js': 'entity.js',
  '/map.js': 'map.js',
  '/polled.js': 'polled.js',
  '/replays.js': 'replays.js',
} as const;
const CHARTS = { '/uplot.js': 'uPlot.iife.min.js', '/uplot.css': 'uPlot.min.css' } as const;

/** The dashboard's page, whole, by path. */
export async function readPage(): Promise<ReadonlyMap<string, PageFile>> {
  const own = join(import.meta.dirname, 'page');
  const charts = dirname(createRequire(import.meta.url).resolve('uplot'));
  const page = new Map<string, PageFile>();
  for (const [path, name] of Object.entries(OWN)) page.set(path, await read(join(own, name)));
  for (const [path, name] of Object.entries(CHARTS)) page.set(path, await read(join(charts, name)));
  return page;
}

async function read(path: string): Promise<PageFile> {
  const extension = path.slice(path.lastIndexOf('.') + 1);
  const type = Object.entries(TYPES).find(([name]) => name === extension)?.[1] ?? 'application/octet-stream';
  return { type, body: await readFile(path) };
}
