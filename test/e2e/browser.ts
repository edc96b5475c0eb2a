import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import AxeSource from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { HANGS_MS, until } from './twhin.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** Path of a Chromium on this machine; undefined if there is none. */
export function chromiumPath(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders
    .flatMap((folder) => NAMES.map((name) => join(folder, name)))
    .find((path) => existsSync(path));
}

/** Why browser tests are skipped here; undefined if they run. In CI they always run. */
export function noBrowser(): string | undefined {
  if (chromiumPath() !== undefined || process.env['CI'] === 'true') return undefined;
  return `no ${NAMES.join(', ')} on the PATH: install Debian's chromium to run these`;
}

export function openBrowser(): Promise<Browser> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error(`none of ${NAMES.join(', ')} is on the PATH`);
  // Chromium's own sandbox needs rights that a container, or root, does not have.
  // Playwright's own handler of SIGTERM would end only the browser and keep the process alive.
  return chromium.launch({ executablePath, args: ['--no-sandbox'], handleSIGTERM: false });
}

/** Opens pages for the tests of a suite, in one browser. They are closed after their test. */
export function pages(): (...asked: Opened) => ReturnType<typeof openPage> {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());
  afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));
  return (...asked) => openPage(browser, ...asked);
}

type Opened = [url: string, options?: { width?: number; scheme?: 'light' | 'dark' }];

/** A page, and the problems that occur in the page. */
export async function openPage(
  browser: Browser,
  ...[url, { width = 1280, scheme = 'light' } = {}]: Opened
): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme: scheme });
  page.setDefaultTimeout(HANGS_MS);
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(new URL(url).origin)) problems.push(`it asks ${request.url()}`);
  });
  await page.goto(url);
  return { page, problems };
}

/** Accessibility problems of the page, one line each. What is animated is looked at as it begins, and then goes on. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate('document.getAnimations().forEach((each) => { each.pause(); each.currentTime = 0; })');
  await page.evaluate(AxeSource.source);
  const violations = await page.evaluate(
    "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ id, help, nodes }) => id + ': ' + help + ' at ' + nodes.map((node) => node.target.join(' ')).join(', ')))",
  );
  await page.evaluate('document.getAnimations().forEach((each) => each.play())');
  return Array.isArray(violations) ? violations.map(String) : [`axe gave ${String(violations)}`];
}

/** The value of a tile. */
export async function tile(page: Page, name: string): Promise<string> {
  return (
    (await page
      .locator('.tiles div', { has: page.getByText(name, { exact: true }) })
      .locator('dd')
      .textContent()) ?? ''
  );
}

export async function shows(page: Page, name: string, value: string): Promise<void> {
  await until(`${name} is ${value}`, async () => (await tile(page, name)) === value);
}

/** Enters an entity and waits for the answer. */
export async function lookUp(page: Page, entity: string): Promise<void> {
  await page.getByLabel('TYPE:ID').fill(entity);
  await page.getByRole('button', { name: 'Look up' }).click();
  await page.getByRole('heading', { name: entity }).waitFor();
}

/**
 * What does not fit on the page, one line each: a word of a table, a list or a heading that goes on in another line, text
 * that runs out of its cell, and a page wider than its window. In running text a word of more than 16 characters may be
 * broken.
 */
export async function brokenWords(page: Page): Promise<string[]> {
  const found: unknown = await page.evaluate(`(() => {
    const found = [];
    const range = document.createRange();
    const strict = 'th, table.numbers td, td:first-child, dt, dd';
    for (const place of document.querySelectorAll(strict + ', td, li, p, h1, h2, h3')) {
      const longest = place.matches(strict) ? Infinity : 16;
      const texts = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const { currentNode: text } = texts;
        // For screen readers alone, one point wide.
        if (text.parentElement.closest('.unseen')) continue;
        for (const { 0: word, index } of text.data.matchAll(/[^\\s–—/-]+/g)) {
          range.setStart(text, index);
          range.setEnd(text, index + word.length);
          const lines = new Set([...range.getClientRects()].map(({ bottom }) => Math.round(bottom)));
          if (lines.size > 1 && word.length <= longest) found.push(word + ' in ' + lines.size + ' lines');
        }
      }
      const cut = getComputedStyle(place).overflowX !== 'visible';
      if (!cut && place.clientWidth > 0 && place.scrollWidth > place.clientWidth)
        found.push(place.tagName + ' ' + place.textContent.slice(0, 60) + ' runs out of its place');
    }
    const { scrollWidth } = document.documentElement;
    if (scrollWidth > innerWidth) found.push('the page is ' + scrollWidth + ' wide of ' + innerWidth);
    return [...new Set(found)];
  })()`);
  return Array.isArray(found) ? found.map(String) : [`the page gave ${String(found)}`];
}
