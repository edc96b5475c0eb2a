// node tools/docs/main.ts [--check]: writes the generated pages of docs/.
import { writeGenerated } from '../generated-files.ts';
import { configurationPage } from './configuration.ts';

/** Every generated page, by its path. */
const PAGES: Readonly<Record<string, () => string>> = {
  'docs/configuration.md': configurationPage,
};

await writeGenerated(
  () => new Map(Object.entries(PAGES).map(([path, page]) => [path, page()])),
  'npm run docs',
);
