import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseNotebook, type CodeCell } from 'dgm-jupyter';
import { bundle, pagePackages } from '../../../app/desk/bundle';
import { type DeskServer, startDesk } from '../../../app/desk/server';
import {
  CHAPTER,
  CHROMIUM,
  GREEN,
  GREY,
  launchBrowser,
  marksIn,
  patientChapter,
  POLL,
  RED,
  solution,
  wrongSolution,
} from '../browser-helpers';

// A student without Jupyter: the desk's own server, kernel and page, in a browser.

const ROOT = resolve(import.meta.dirname, '../../..');

/** Why there is no page to test; undefined when there is one. */
const missing = await pagePackages({ root: ROOT }).then(
  () => undefined,
  (error: Error) => error.message,
);
if (missing !== undefined) console.warn(`Tests of the desk's page are skipped: ${missing}`);

describe('making the page', () => {
  let root: string;
  const cache = () => join(root, 'cache');
  const calls = () => readdirSync(root).filter((name) => name.startsWith('npm-')).length;
  const make = (onStep?: (line: string) => void) => bundle({ root, cache: cache(), ...(onStep && { onStep }) });

  /** A workbook whose npm and whose bundler only write what they are asked for. */
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'bundle-'));
    const write = (path: string, text: string) => {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      writeFileSync(join(root, path), text);
    };
    write('lib/figures/plotly-names.ts', '');
    write('lib/figures/step-keys.ts', '');
    write('app/desk/page/main.ts', '1');
    write('app/desk/page/package.json', '{}');
    write('app/desk/page/package-lock.json', '{}');
    write(
      'app/setup/npm.mjs',
      `export const npmCommand = () => ({ command: process.execPath, before: [${JSON.stringify(join(root, 'npm.cjs'))}], shell: false });`,
    );
    write('npm.cjs', NPM);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  test('installs and bundles once, and says so; then does nothing', async () => {
    const lines: string[] = [];
    const folder = await make((line) => lines.push(line));
    expect(readFileSync(join(folder, 'app.js'), 'utf8')).toBe('bundled');
    expect(lines).toHaveLength(2);
    expect(await make((line) => lines.push(line))).toBe(folder);
    expect(lines).toHaveLength(2);
    expect(calls()).toBe(1);
  });

  test('bundles again when a source changes, installs again when the lock file does', async () => {
    const first = await make();
    writeFileSync(join(root, 'app/desk/page/main.ts'), '2');
    const second = await make();
    expect(second).not.toBe(first);
    expect(calls()).toBe(1);
    writeFileSync(join(root, 'app/desk/page/package-lock.json'), '{ }');
    expect(await make()).not.toBe(second);
    expect(calls()).toBe(2);
  });

  test('two starts at once give one whole page and leave nothing else', async () => {
    const [one, other] = await Promise.all([make(), make()]);
    expect(one).toBe(other);
    expect(readdirSync(one)).toEqual(['app.js']);
    expect(readdirSync(cache()).filter((name) => name.startsWith('draft-'))).toEqual([]);
  });

  test('what an interrupted start left is taken away, not used', async () => {
    const gone = spawnSync(process.execPath, ['--version']).pid;
    mkdirSync(join(cache(), `draft-${gone}-abc`), { recursive: true });
    await make();
    expect(readdirSync(cache()).filter((name) => name.startsWith('draft-'))).toEqual([]);
  });

  test('an npm that fails is told with its reason, and tried again next time', async () => {
    writeFileSync(join(root, 'fail'), '');
    await expect(make()).rejects.toThrow(/packages cannot be installed \(npm ci: 1\): no network/);
    expect(readdirSync(cache())).toEqual([]);
    rmSync(join(root, 'fail'));
    expect(readdirSync(await make())).toEqual(['app.js']);
  });
});

const NPM = `
const fs = require('node:fs'), { join } = require('node:path');
fs.writeFileSync(join(__dirname, 'npm-' + process.pid), process.argv.slice(2).join(' '));
if (fs.existsSync(join(__dirname, 'fail'))) { console.error('no network'); process.exit(1); }
fs.mkdirSync('node_modules/esbuild', { recursive: true });
fs.writeFileSync('node_modules/esbuild/index.js', \`
  const fs = require('node:fs'), { join } = require('node:path');
  exports.build = async ({ outdir }) => fs.writeFileSync(join(outdir, 'app.js'), 'bundled');
\`);
`;

describe.skipIf(missing !== undefined)("the page's sources", () => {
  test('have no type error', async () => {
    const packages = await pagePackages({ root: ROOT });
    const page = join(ROOT, 'app/desk/page');
    const folder = mkdtempSync(join(ROOT, 'app/dist/desk-types-'));
    try {
      const config = {
        extends: join(page, 'tsconfig.json'),
        compilerOptions: { paths: { '*': [join(packages, 'node_modules', '*')] } },
        include: [join(page, '*.ts')],
      };
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
      const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
      const { stdout } = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' });
      expect(stdout).toBe('');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe.skipIf(missing !== undefined || !CHROMIUM)('a student at the desk', () => {
  let root: string;
  let desk: DeskServer;
  let browser: Browser;
  let page: Page;
  const trouble: string[] = [];
  const hosts = new Set<string>();
  let scriptBytes = 0;

  beforeAll(async () => {
    root = mkdtempSync(join(ROOT, 'node_modules/.desk-')); // where the kernel finds the library, and no release looks
    mkdirSync(join(root, 'notebooks'));
    copyFileSync(join(ROOT, 'notebooks/00-start.ipynb'), join(root, 'notebooks/00-start.ipynb'));
    writeFileSync(join(root, 'notebooks', CHAPTER), patientChapter());
    const env = { ...process.env, DGM_PROGRESS: join(root, 'progress.json'), DGM_BUDGET: '100' };
    desk = await startDesk({ root, bundle: await bundle({ root: ROOT }), env });
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on('pageerror', (error) => trouble.push(error.message));
    page.on('console', (message) => {
      if (message.type() !== 'debug') trouble.push(`${message.type()}: ${message.text()}`);
    });
    page.on('request', (request) => void (request.url().startsWith('data:') || hosts.add(new URL(request.url()).host)));
    page.on('response', async (response) => {
      if (response.request().resourceType() === 'script' && response.ok())
        scriptBytes += Number(await response.headerValue('content-length'));
    });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await desk?.stop();
    if (root) rmSync(root, { recursive: true });
  });

  const cell = (text: string): Locator => page.locator('.jp-CodeCell', { hasText: text }).first();
  const prompt = (one: Locator): Locator => one.locator('.jp-InputPrompt');
  const idle = () => page.locator('.dgm-status[data-state=idle]').waitFor();
  const kept = (id: string) => {
    const notebook = parseNotebook(readFileSync(join(root, 'notebooks', CHAPTER), 'utf8'), CHAPTER);
    return notebook.cells.find((one) => one.id === id) as CodeCell;
  };
  const press = (name: string) => page.getByRole('toolbar').getByRole('button', { name, exact: true }).click();

  /** Runs it and waits for its end. */
  async function run(one: Locator): Promise<void> {
    const before = await prompt(one).textContent();
    await one.locator('.cm-content').click();
    await page.keyboard.press('Shift+Enter');
    await expect.poll(() => prompt(one).textContent(), POLL).toMatch(/\[(\d+)\]/);
    await expect.poll(() => prompt(one).textContent(), POLL).not.toBe(before);
  }

  async function write(one: Locator, source: string): Promise<void> {
    await one.locator('.cm-content').click();
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText(source);
  }

  async function verdict(): Promise<string[]> {
    const check = cell("await check('mixture.logNormal', logNormal)");
    await run(check);
    return marksIn(check);
  }

  test('the first page says what this is, where to begin, what the marks mean, and where help is', async () => {
    await page.goto(desk.address());
    await page.getByRole('heading', { level: 1, name: 'Deep generative models' }).waitFor();
    const begin = page.getByRole('main').getByRole('link', { name: /^Begin with/ });
    await begin.waitFor();
    expect(await begin.getAttribute('href')).toMatch(/\/notebooks\/00-start\.ipynb$/);
    expect(await page.getByRole('main').getByRole('img').getAttribute('aria-label')).toContain('line of points');
    const text = await page.getByRole('main').innerText();
    for (const part of ['✗ does not hold yet', 'npm run doctor', 'Shift Enter', '?fit']) expect(text).toContain(part);
  });

  test('finds the chapters and opens one; the kernel starts', async () => {
    await page
      .getByRole('navigation', { name: 'Chapters' })
      .getByRole('link', { name: /3 Mixture models/ })
      .click();
    await page.locator('.jp-Notebook').waitFor();
    await idle();
    await expect.poll(() => page.locator('mjx-container').count(), POLL).toBeGreaterThan(10);
    expect(await page.locator('mjx-merror').count()).toBe(0);
    expect(scriptBytes).toBeGreaterThan(0);
    expect(scriptBytes).toBeLessThan(5_000_000);
  });

  test('the first page then goes on with the chapter that was open last', async () => {
    await page.goto(new URL('/', desk.address()).href);
    const main = page.getByRole('main');
    const link = main.getByRole('link', { name: /^Go on with .*Mixture models/ });
    await link.waitFor();
    expect(await main.innerText()).toMatch(/0 of \d+ exercises passed, opened \d+ \w+/);
    await link.click();
    await idle();
  });

  test('a chapter that was only opened has nothing to save', async () => {
    await page.reload();
    await idle();
    await page.waitForTimeout(500); // for what the kernel tells of itself
    expect(await page.title()).not.toContain('•');
    expect(await page.locator('.dgm-saved').textContent()).toBe('saved');
  });

  test('while the server is away the banner says so, no dialog does; what was written is saved when it is back', async () => {
    const away = (route: { abort(): Promise<void> }) => route.abort();
    await page.route('**/api/**', away);
    await press('Add cell below');
    const added = page.locator('.jp-Notebook .jp-Cell.jp-mod-active');
    await write(added, '// written while the server was away');
    expect(await page.locator('.dgm-saved').textContent()).toBe('not saved yet');
    await page.keyboard.press('Control+S');
    await page.locator('.dgm-banner p', { hasText: 'The workbook has stopped' }).waitFor();
    await page.keyboard.press('Control+S');
    await page.waitForTimeout(500);
    expect(await page.locator('.jp-Dialog').count()).toBe(0);
    await page.unroute('**/api/**', away);
    const text = () => readFileSync(join(root, 'notebooks', CHAPTER), 'utf8');
    await expect.poll(text, POLL).toContain('written while the server was away');
    await expect.poll(() => page.locator('.dgm-saved').textContent(), POLL).toBe('saved');
    expect(await page.locator('.dgm-banner p').count()).toBe(0);
    trouble.splice(0, trouble.length, ...trouble.filter((line) => !/ERR_FAILED|Failed to fetch/.test(line)));
    await press('Delete cell');
    await page.keyboard.press('Control+S');
    await expect.poll(text, POLL).not.toContain('written while');
  });

  test('a cell that takes a while says how long it took', async () => {
    await press('Add cell below');
    const added = page.locator('.jp-Notebook .jp-Cell.jp-mod-active');
    await write(added, 'await new Promise((done) => setTimeout(done, 1200));');
    await page.keyboard.press('Control+Enter');
    await expect.poll(() => prompt(added).getAttribute('data-dgm-time'), POLL).toMatch(/^[1-9](\.\d)? s$/);
    await added.locator('.cm-content').click();
    await page.keyboard.press('Escape');
    await press('Delete cell');
  });

  test('an exercise: not written, right, broken, mended', async () => {
    const exercise = cell('function logNormal(');
    await run(cell("import * as tf from '@tensorflow/tfjs'"));
    await run(exercise);
    expect(await verdict()).toEqual([GREY]);
    await write(exercise, solution());
    await run(exercise);
    expect(await verdict()).toEqual([GREEN]);
    await write(exercise, wrongSolution());
    await run(exercise);
    expect(await verdict()).toContain(RED);
    await write(exercise, solution());
    await run(exercise);
    expect(await verdict()).toEqual([GREEN]);
    await expect.poll(() => page.locator('[aria-current=page] .dgm-count').textContent(), POLL).toMatch(/^1 \/ /);
  });

  test('a check is read-only and stays', async () => {
    const check = cell("await check('mixture.logNormal', logNormal)");
    const cells = await page.locator('.jp-Cell').count();
    await check.locator('.cm-content').click();
    await page.keyboard.type('x');
    expect(await check.locator('.cm-content').textContent()).toBe("await check('mixture.logNormal', logNormal);");
    expect(await check.getAttribute('aria-description')).toContain('read-only');
    await press('Delete cell');
    expect(await page.locator('.jp-Cell').count()).toBe(cells);
  });

  test('cells come and go, by keyboard and by button', async () => {
    const cells = () => page.locator('.jp-Cell').count();
    const before = await cells();
    await cell('function logNormal(').locator('.cm-content').click();
    await page.keyboard.press('Escape');
    await page.keyboard.press('b');
    await expect.poll(cells, POLL).toBe(before + 1);
    await press('Delete cell');
    await expect.poll(cells, POLL).toBe(before);
    await press('Undo');
    await expect.poll(cells, POLL).toBe(before + 1);
  });

  test('what was typed is undone and done again, by key and by menu; lines are commented out', async () => {
    const exercise = cell('function logNormal(');
    const text = () => exercise.locator('.cm-content').innerText();
    await exercise.locator('.cm-content').click();
    await page.keyboard.press('Control+End');
    const before = await text();
    await page.waitForTimeout(600); // what is typed at once is one step
    await page.keyboard.type(' typed');
    await page.keyboard.press('Control+z');
    await expect.poll(text, POLL).toBe(before);
    await page.keyboard.press('Control+Shift+z');
    await expect.poll(text, POLL).toBe(`${before} typed`);
    const handled = await exercise
      .locator('.cm-content')
      .evaluate((editor) =>
        editor.dispatchEvent(
          new InputEvent('beforeinput', { inputType: 'historyUndo', bubbles: true, cancelable: true }),
        ),
      );
    expect(handled).toBe(false);
    await expect.poll(text, POLL).toBe(before);
    await page.keyboard.press('Control+/');
    await expect.poll(text, POLL).toMatch(/\n\/\/ \}$/);
    await page.keyboard.press('Control+/');
    await expect.poll(text, POLL).toBe(before);
  });

  test('the kernel completes and explains', async () => {
    await press('Add cell below');
    const added = page.locator('.jp-Notebook .jp-Cell.jp-mod-active');
    await write(added, 'createR');
    await page.keyboard.press('Tab');
    await page.locator('.jp-Completer-item', { hasText: 'createRng' }).waitFor();
    await page.keyboard.press('Enter');
    await expect.poll(() => added.locator('.cm-content').textContent(), POLL).toBe('createRng');
    await page.keyboard.insertText('(');
    await page.keyboard.press('Shift+Tab');
    await expect.poll(() => page.locator('.jp-Tooltip').textContent(), POLL).toContain('createRng');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await press('Delete cell');
  });

  test('a training stops when told to', async () => {
    const training = cell('const watched');
    await run(cell("const digits = load('digits')"));
    await training.locator('.cm-content').click();
    await page.keyboard.press('Shift+Enter');
    await training.locator('.jp-OutputArea-output', { hasText: /epoch/ }).waitFor();
    expect(await prompt(training).textContent()).toBe('[*]:');
    await press('Stop');
    await expect.poll(() => prompt(training).textContent(), POLL).toMatch(/\[\d+\]/);
    await idle();
  });

  test('a page loaded again shows what runs, and its further output', async () => {
    const training = cell('const watched');
    const progress = training.locator('.jp-OutputArea-output', { hasText: /epoch/ }).first();
    await training.locator('.cm-content').click();
    await page.keyboard.press('Shift+Enter');
    await progress.waitFor();
    const asked = page.waitForEvent('dialog');
    await page.evaluate(() => setTimeout(() => location.reload()));
    const dialog = await asked; // what was written is not saved yet
    expect(dialog.type()).toBe('beforeunload');
    await dialog.dismiss();
    await page.keyboard.press('Control+S');
    await expect.poll(() => kept('log-normal').source, POLL).toBe(solution());
    page.once('dialog', (again) => void again.accept()); // progress has made it unsaved again
    await page.reload();
    await expect.poll(() => prompt(training).textContent(), POLL).toBe('[*]:');
    await progress.waitFor();
    const shown = await progress.textContent();
    await expect.poll(() => progress.textContent(), POLL).not.toBe(shown);
    await press('Stop');
    await expect.poll(() => prompt(training).textContent(), POLL).toMatch(/\[\d+\]/);
  });

  test('late output of a saved cell is added to what the file has, also on a page loaded again', async () => {
    await press('Add cell below');
    const added = page.locator('.jp-Notebook .jp-Cell.jp-mod-active');
    const bell = join(root, 'bell');
    await write(
      added,
      `import { existsSync } from 'node:fs';
       const waiting = setInterval(() => {
         if (!existsSync(${JSON.stringify(bell)})) return;
         clearInterval(waiting);
         console.log('afterwards');
       }, 20);
       console.log('at once');`,
    );
    await run(added);
    await page.keyboard.press('Control+S');
    await expect.poll(() => page.locator('.dgm-saved').textContent(), POLL).toBe('saved');
    await page.reload();
    await idle();
    const late = cell('const waiting = setInterval');
    const printed = async () => (await late.locator('.jp-OutputArea-output').allInnerTexts()).join('');
    await expect.poll(printed, POLL).toContain('at once');
    writeFileSync(bell, '');
    await expect.poll(printed, POLL).toContain('afterwards');
    expect(await printed()).toContain('at once');
    expect(await prompt(late).textContent()).toMatch(/\[\d+\]/);
  });

  test('the headings lead to their cells', async () => {
    const outline = page.getByRole('list', { name: 'In this notebook' });
    const items = outline.getByRole('button');
    await expect.poll(() => items.count(), POLL).toBeGreaterThan(7);
    const last = items.last();
    const text = (await last.textContent())!;
    await last.click();
    const active = page.locator('.jp-Notebook .jp-Cell.jp-mod-active');
    await expect.poll(() => active.innerText(), POLL).toContain(text);
    await expect.poll(() => active.evaluate((node) => node.getBoundingClientRect().top < innerHeight), POLL).toBe(true);
  });

  test('H shows every key, and only while nobody writes', async () => {
    const dialog = page.getByRole('dialog', { name: 'Keys' });
    await page.keyboard.press('h');
    await dialog.waitFor();
    const text = await dialog.innerText();
    for (const part of ['Run and insert', 'Delete cell', 'Comment lines in or out', 'Complete a name'])
      expect(text).toContain(part);
    await page.keyboard.press('Escape');
    expect(await dialog.count()).toBe(0);
    await press('Keys');
    await dialog.getByRole('button', { name: 'Close' }).click();
    expect(await dialog.count()).toBe(0);
  });

  test('the notebook is downloaded as one page that draws its figures anywhere', async () => {
    const coming = page.waitForEvent('download');
    await press('Download as HTML');
    const download = await coming;
    expect(download.suggestedFilename()).toBe(CHAPTER.replace('.ipynb', '.html'));
    const file = join(root, 'page.html');
    await download.saveAs(file);
    const other = await browser.newPage();
    await other.goto(pathToFileURL(file).href);
    await other.getByRole('heading', { level: 1, name: /Mixture models/ }).waitFor();
    expect(await other.locator('main').innerText()).toContain('at once');
    await other.close();
  });

  test('figures are drawn, named, and follow the colours of the page', async () => {
    const picture = cell('const three = gaussianMixture');
    await run(picture);
    const figure = picture.locator('.dgm-figure').first();
    await figure.locator('.main-svg').first().waitFor();
    expect(await figure.getAttribute('aria-label')).toContain('Figure');
    const ink = () =>
      figure
        .locator('.xtick text')
        .first()
        .evaluate((text) => getComputedStyle(text).fill);
    const light = await ink();
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(ink, POLL).not.toBe(light);
    await page.emulateMedia({ colorScheme: 'light' });
    await expect.poll(ink, POLL).toBe(light);
  });

  test('the steps of an animation are shown', async () => {
    await press('Add cell below');
    const added = page.locator('.jp-Notebook .jp-Cell.jp-mod-active');
    await write(
      added,
      `import { scoreField } from 'dgm';
       const ends = [0, 1], right = [[1, 0], [1, 0], [1, 0], [1, 0]], up = [[0, 1], [0, 1], [0, 1], [0, 1]];
       scoreField([{ x: ends, y: ends, vectors: right }, { x: ends, y: ends, vectors: up }]);`,
    );
    await page.keyboard.press('Control+Enter');
    const line = () => added.locator('.scatterlayer path.js-line').first().getAttribute('d');
    await added.locator('.updatemenu-button').first().waitFor();
    const first = await line();
    await added.locator('.updatemenu-button', { hasText: 'Play' }).click();
    await expect.poll(line, POLL).not.toBe(first);
    const second = await line();
    await added.locator('.dgm-figure').focus();
    for (const [key, shown] of [
      ['ArrowLeft', first],
      ['ArrowRight', second],
    ] as const) {
      await page.keyboard.press(key);
      await expect.poll(line, POLL).toBe(shown);
    }
    await press('Delete cell');
  });

  test('a cell that prints a lot leaves the others within reach', async () => {
    await press('Add cell below');
    const added = page.locator('.jp-Notebook .jp-Cell.jp-mod-active');
    await write(added, "console.log('line\\n'.repeat(5000))");
    await page.keyboard.press('Control+Enter');
    await expect.poll(() => added.locator('.jp-OutputArea').textContent(), POLL).toContain('line');
    expect((await added.boundingBox())!.height).toBeLessThan(1000);
    await press('Delete cell');
  });

  test('what is saved is on disk', async () => {
    await press('Save');
    await expect.poll(() => JSON.stringify(kept('check-log-normal').outputs), POLL).toContain('checks pass');
    expect(kept('log-normal').source).toBe(solution());
    expect(kept('train-gaussian-watched').outputs.length).toBeGreaterThan(0);
    await page.reload(); // nobody asks: nothing is unsaved
    await idle();
    expect(await cell("await check('mixture.logNormal', logNormal)").locator('.dgm-check').textContent()).toContain(
      '✓',
    );
  });

  test('every control can be reached and has a name', async () => {
    const nameless = await page
      .locator('button:visible, select:visible, a:visible, [role=img]:visible')
      .evaluateAll((all) =>
        all
          .filter((one) => !(one.getAttribute('aria-label') ?? one.textContent?.trim()))
          .map((one) => one.outerHTML.slice(0, 120)),
      );
    expect(nameless).toEqual([]);
    for (const role of ['banner', 'navigation', 'main', 'toolbar'] as const)
      expect(await page.getByRole(role).count(), role).toBeGreaterThan(0);
  });

  test('no request has left the machine, no error was reported', () => {
    expect([...hosts]).toEqual([new URL(desk.address()).host]);
    expect(trouble).toEqual([]);
  });

  test('a file that has changed on disk is not overwritten unasked', async () => {
    const file = join(root, 'notebooks', CHAPTER);
    const changed = readFileSync(file, 'utf8').replace('# 3 Mixture models', '# 3 Changed elsewhere');
    writeFileSync(file, changed);
    await write(cell('function logNormal('), 'changed here');
    await press('Save');
    const dialog = page.getByRole('dialog');
    await dialog.getByText('has changed on disk').waitFor();
    expect(readFileSync(file, 'utf8')).toBe(changed);
    await dialog.getByRole('button', { name: 'Revert' }).click();
    await page.getByText('3 Changed elsewhere').filter({ visible: true }).first().waitFor(); // rendered or being edited
  });

  test('a kernel that dies is said, with what to do', async () => {
    await cell("import * as tf from '@tensorflow/tfjs'").locator('.cm-content').click();
    await press('Add cell below');
    const added = page.locator('.jp-Notebook .jp-Cell.jp-mod-active');
    await write(added, 'process.exit(3)');
    await page.keyboard.press('Control+Enter');
    const alert = page.getByRole('alert');
    await alert.getByRole('button', { name: 'Restart the kernel' }).click();
    await idle();
    expect(await alert.textContent()).toBe('');
    await write(added, '6 * 7');
    await page.keyboard.press('Control+Enter');
    await expect.poll(() => added.locator('.jp-OutputArea').textContent(), POLL).toContain('42');
  });

  test('a page without the token is told where to get it', async () => {
    await page.context().clearCookies();
    await page.getByRole('alert').getByText('npm start').waitFor();
  });

  test('a server that is gone is said, with what to do', async () => {
    await desk.stop();
    await page.getByRole('alert').getByText('has stopped').waitFor();
  });
});
