import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { openBrowser, openPage } from '../../../e2e/browser.ts';
import type { PageSample } from './samples.ts';

const MIB = 1024 * 1024;
const LOOK_EVERY_MS = 60_000;
/** Of looks of the second tab: each of so many is a reload. */
const RELOADS = 3;
const WAIT_MS = 60_000;

/** Two tabs with the dashboard: one that stays as it was opened, and one that is loaded anew now and then. */
export class Visitor {
  readonly loads: Record<string, number> = {};
  readonly looks: Record<string, number> = { entity: 0, graph: 0, range: 0, map: 0 };
  readonly #browser: Browser;
  readonly #tabs: readonly Tab[];
  readonly #said: (tab: string, text: string) => void;
  #loop: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();

  private constructor(browser: Browser, tabs: readonly Tab[], said: (tab: string, text: string) => void) {
    this.#browser = browser;
    this.#tabs = tabs;
    this.#said = said;
    for (const { name } of tabs) this.loads[name] = 1;
  }

  /** said: hears of each error and warning of a page. */
  static async come(url: string, said: (tab: string, text: string) => void): Promise<Visitor> {
    const browser = await openBrowser();
    const open = async (name: string): Promise<Tab> => {
      const { page, problems } = await openPage(browser, url);
      const cdp = await page.context().newCDPSession(page);
      await cdp.send('Performance.enable');
      return { name, page, cdp, problems };
    };
    return new Visitor(browser, [await open('stays'), await open('reloads')], said);
  }

  /** Looks around until `leave`. ids: of entities to look at, `TYPE:ID` each. */
  start(ids: () => string): void {
    this.#loop = this.#run(ids);
  }

  async leave(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await this.#browser.close();
  }

  /** Both tabs, their garbage collected: what is left is what they hold. */
  async samples(atS: number): Promise<PageSample[]> {
    return Promise.all(
      this.#tabs.map(async ({ name, page, cdp, problems }) => {
        for (const text of problems.splice(0)) this.#said(name, text);
        // Twice: what a first collection frees of the page can be all that held something of its scripts.
        for (let i = 0; i < 2; i++) await cdp.send('HeapProfiler.collectGarbage');
        const { metrics } = await cdp.send('Performance.getMetrics');
        const metric = (wanted: string) => metrics.find((one) => one.name === wanted)?.value ?? 0;
        return {
          ...{ kind: 'page' as const, atS, tab: name, heapMiB: metric('JSHeapUsedSize') / MIB },
          ...{
            nodes: metric('Nodes'),
            shown: await page.evaluate<number>(SHOWN_NODES),
            listeners: metric('JSEventListeners'),
          },
          headline: (await page.locator('#headline').textContent({ timeout: WAIT_MS })) ?? '',
        };
      }),
    );
  }

  async #run(ids: () => string): Promise<void> {
    for (let look = 1; !this.#stopping.signal.aborted; look++) {
      await sleep(LOOK_EVERY_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      if (this.#stopping.signal.aborted) return;
      for (const tab of this.#tabs) {
        try {
          if (tab.name === 'reloads' && look % RELOADS === 0) await this.#reload(tab);
          else await this.#look(tab, look, ids());
        } catch (error) {
          this.#said(tab.name, `look ${look}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    }
  }

  async #reload({ name, page }: Tab): Promise<void> {
    await page.reload();
    // Whatever it says: on a busy machine vectors may be behind for a time.
    await page.locator('#headline:not([data-level=wait])').waitFor({ timeout: WAIT_MS });
    this.loads[name] = (this.loads[name] ?? 0) + 1;
  }

  /** An entity, and who is near the first found; the other graph and the other range; the map as it comes. */
  async #look({ page }: Tab, look: number, id: string): Promise<void> {
    const count = (what: string) => {
      this.looks[what] = (this.looks[what] ?? 0) + 1;
    };
    await page.getByLabel('TYPE:ID').fill(id);
    await page.getByRole('button', { name: 'Look up' }).click();
    await page.getByRole('heading', { name: id, exact: true }).waitFor({ timeout: WAIT_MS });
    count('entity');
    if (look % 2 === 0) {
      const name = look % 4 === 0 ? 'engagement' : 'follow';
      await page.locator('#graphs').getByRole('button', { name, exact: true }).click();
      count('graph');
    }
    if (look % 5 === 0) {
      const ranges = page.locator('#ranges button');
      await ranges.nth(look % (await ranges.count())).click();
      count('range');
    }
    await page.getByText(/^[1-9]\d* entities of \d+ types? by/).waitFor({ timeout: WAIT_MS });
    await page.locator('canvas.map').scrollIntoViewIfNeeded();
    count('map');
  }
}

/** In the page: the nodes of the document. Those beyond them are held by the page's code, or wait to be collected. */
const SHOWN_NODES = `(() => {
  const walker = document.createTreeWalker(document);
  let nodes = 1;
  while (walker.nextNode() !== null) nodes++;
  return nodes;
})()`;

interface Tab {
  readonly name: string;
  readonly page: Page;
  readonly cdp: CDPSession;
  readonly problems: string[];
}
