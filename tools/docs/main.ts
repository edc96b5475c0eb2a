// node tools/docs/main.ts [--check]: writes the generated pages of docs/.
import { writeGenerated } from '../generated-files.ts';
import { configurationPage } from './configuration.ts';
import { measuredPage } from './measured.ts';

/** Every generated page, by its path. */
const PAGES: Readonly<Record<string, () => string>> = {
  'docs/configuration.md': configurationPage,
  'docs/measured.md': measuredPage,
};

await writeGenerated(
  () => new Map(Object.entries(PAGES).map(([path, page]) => [path, page()])),
  'npm run docs',
);
