/** Makes the pictures of the dashboard and of the lists made live, of a demo in its last moments: `npm run screenshots`. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { openBrowser, openPage } from '../e2e/browser.ts';
import { until } from '../e2e/twhin.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const IMAGES = join(ROOT, 'docs', 'images');
const LIMIT_MS = 300_000;
/** Curves and map are asked for every five seconds. */
const SETTLE_MS = 8_000;

const demo = spawn(process.execPath, ['demo/main.ts', '--embedded', '--keep', '--events', '100000'], {
  cwd: ROOT,
  env: { ...process.env, TWHIN_HTTP: '127.0.0.1:0' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
let said = '';
demo.stdout.setEncoding('utf8').on('data', (text: string) => {
  said += text;
  process.stderr.write(text);
});
try {
  await until('the demo is through', () => /Try next/.test(said) || demo.exitCode !== null, LIMIT_MS);
  const url = /Dashboard: (\S+)/.exec(said)?.[1];
  const lists = /(http:\S+#\d+) +the user's lists/.exec(said)?.[1];
  if (url === undefined || lists === undefined) throw new Error('the demo said of no dashboard or no lists');
  await take(`${url}/#follow`, 'dashboard.png', { width: 1280, scheme: 'light' }, settled, true);
  await take(`${url}/#follow`, 'dashboard-top.png', { width: 1280, scheme: 'light' });
  await take(`${url}/#engagement`, 'dashboard-phone.png', { width: 390, scheme: 'dark' });
  await take(lists, 'serving.png', { width: 1280, scheme: 'light' }, liked);
  await take(lists, 'serving-dark.png', { width: 1280, scheme: 'dark' }, liked);
} finally {
  demo.kill('SIGTERM');
}

/** ready: what is done on the page, and waited for, before its picture is taken. */
async function take(
  url: string,
  name: string,
  options: { width: number; scheme: 'light' | 'dark' },
  ready: (page: Page) => Promise<void> = settled,
  fullPage = false,
): Promise<void> {
  const browser = await openBrowser();
  try {
    const { page } = await openPage(browser, url, options);
    await ready(page);
    await page.screenshot({ path: join(IMAGES, name), fullPage });
    process.stderr.write(`${join('docs', 'images', name)}\n`);
  } finally {
    await browser.close();
  }
}

async function settled(page: Page): Promise<void> {
  await page.getByText(/entities of \d+ types? by/).waitFor();
  await page.waitForTimeout(SETTLE_MS);
}

/** The lists of a user who has just liked a tweet. */
async function liked(page: Page): Promise<void> {
  await page.setViewportSize({ width: 1280, height: 1000 });
  await page.locator('#list-home .act').nth(2).click();
  await page.getByText(/visible in the vectors/).waitFor();
  // What is new lights up for so long.
  await page.waitForTimeout(2_600);
}
