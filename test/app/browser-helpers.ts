/** What the tests in a browser share: the browser itself, and what a student does in chapter 3. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Browser, chromium, type Locator } from 'playwright-core';
import { parseNotebook, type CodeCell } from 'dgm-jupyter';

export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path));
if (!CHROMIUM) console.warn('Tests in a browser are skipped: no Chromium in /usr/bin (Debian: apt install chromium)');

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM!, args: ['--no-sandbox', '--disable-gpu'] });

/** For `expect.poll` on a page. */
export const POLL = { timeout: 30_000, interval: 50 };

export const CHAPTER = '03-mixtures.ipynb';
const ROOT = resolve(import.meta.dirname, '../..');

/** Chapter 3 as students get it, but its training goes on until it is stopped: with DGM_BUDGET = 100. */
export function patientChapter(): string {
  return readFileSync(join(ROOT, 'notebooks', CHAPTER), 'utf8').replace('patience: 15', 'patience: 1e6');
}

/** The first exercise of the chapter as its authors solve it. */
export function solution(): string {
  const { cells } = parseNotebook(readFileSync(join(ROOT, 'solutions', CHAPTER), 'utf8'), CHAPTER);
  return (cells.find(({ id }) => id === 'log-normal') as CodeCell).source;
}

/** The same with a wrong sign. */
export const wrongSolution = (): string => solution().replace('mul(-0.5)', 'mul(0.5)');

/** The marks of a check that has run, and their colours, each kind once: `✓ rgb(27, 110, 60)`. */
export async function marksIn(check: Locator): Promise<string[]> {
  const marks = check.locator('.dgm-check b').filter({ hasText: /^[✓✗○]$/ });
  const all = await marks.evaluateAll((elements) =>
    elements.map((mark) => `${mark.textContent} ${getComputedStyle(mark).backgroundColor}`),
  );
  return [...new Set(all)];
}

export const GREEN = '✓ rgb(27, 110, 60)';
export const RED = '✗ rgb(163, 38, 44)';
export const GREY = '○ rgb(95, 102, 112)';
