import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';

/** A file of a page, ready to be sent. */
export interface PageFile {
  readonly type: string;
  readonly body: Buffer;
}

/** The files of a page, by path. They are read once: no request ever reads a file. */
export type Page = ReadonlyMap<string, PageFile>;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** The dashboard of `twhin run`, with its charts. */
export async function readDashboard(): Promise<Page> {
  const charts = dirname(createRequire(import.meta.url).resolve('uplot'));
  return readPage('dashboard', [
    ['/uplot.js', join(charts, 'uPlot.iife.min.js')],
    ['/uplot.css', join(charts, 'uPlot.min.css')],
  ]);
}

export function readServingPage(): Promise<Page> {
  return readPage('serving', []);
}

/** A page's own folder at `/`, where `index.html` is `/` itself, and what all pages share at `/shared/`. */
async function readPage(name: string, more: readonly (readonly [string, string])[]): Promise<Page> {
  const files = [...(await filesOf(name, '/')), ...(await filesOf('shared', '/shared/')), ...more];
  const page = new Map<string, PageFile>();
  for (const [path, file] of files) {
    const type = TYPES[extname(file)];
    if (type !== undefined) page.set(path, { type, body: await readFile(file) });
  }
  return page;
}

async function filesOf(name: string, at: string): Promise<[path: string, file: string][]> {
  const folder = join(import.meta.dirname, name);
  const names = await readdir(folder);
  return names.map((file) => [file === 'index.html' ? at : `${at}${file}`, join(folder, file)]);
}
