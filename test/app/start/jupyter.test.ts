import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseNotebook, type CodeCell } from 'dgm-jupyter';
import { findJupyter, type Jupyter } from '../../../app/start/find-jupyter';
import { type JupyterServer, startServer } from '../../../app/start/jupyter-server';
import {
  CHAPTER,
  CHROMIUM,
  GREEN,
  launchBrowser,
  marksIn,
  patientChapter,
  POLL,
  RED,
  solution,
  wrongSolution,
} from '../browser-helpers';

// A student with Jupyter: the main path through a chapter, in every Jupyter on PATH, in a browser.
// JupyterLab 4 and Notebook 7: PATH="venv/bin:$PATH" npx vitest run test/app/start/jupyter.test.ts

const ROOT = resolve(import.meta.dirname, '../../..');
const { found } = await findJupyter();
for (const kind of ['lab', 'notebook'] as const)
  if (!found.some((jupyter) => jupyter.kind === kind))
    console.warn(
      `Tests of the chapters in ${kind === 'lab' ? 'JupyterLab' : 'Jupyter Notebook'} are skipped: none on PATH`,
    );

/** Where a front end has what a student looks at and clicks on. */
interface Places {
  readonly cell: string;
  readonly editor: string;
  readonly prompt: string;
  readonly output: string;
}
const OLD: Places = { cell: '.code_cell', editor: '.CodeMirror', prompt: '.input_prompt', output: '.output_area' };
const NEW: Places = {
  cell: '.jp-CodeCell',
  editor: '.cm-content',
  prompt: '.jp-InputPrompt',
  output: '.jp-OutputArea',
};

const placesOf = ({ kind, version }: Jupyter) => (kind === 'notebook' && Number.parseInt(version) < 7 ? OLD : NEW);

/** `jupyter-notebook` and `jupyter notebook` are one. */
const different = new Map(found.map((jupyter) => [`${jupyter.kind} ${jupyter.version}`, jupyter]));

describe.skipIf(!CHROMIUM).each([...different])('a student in Jupyter: %s', (_, jupyter) => {
  const places = placesOf(jupyter);
  const hosts = new Set<string>();
  let root: string;
  let server: JupyterServer;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    root = mkdtempSync(join(ROOT, 'node_modules/.jupyter-')); // where the kernel finds the library, and no release looks
    mkdirSync(join(root, 'notebooks'));
    writeFileSync(join(root, 'notebooks', CHAPTER), patientChapter());
    mkdirSync(join(root, 'jupyter'), { recursive: true });
    symlinkSync(join(ROOT, 'jupyter/share'), join(root, 'jupyter/share'));
    server = await startServer({ root, jupyter, notebook: CHAPTER, env: environment(root) });
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
    page.on('request', (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (/^(http|ws)s?:$/.test(protocol)) hosts.add(hostname);
    });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    server?.stop();
    await server?.ended;
    if (root) rmSync(root, { recursive: true });
  });

  const cell = (text: string): Locator => page.locator(places.cell, { hasText: text }).first();
  const prompt = (one: Locator) => one.locator(places.prompt).textContent();

  /** Runs it and waits for its end. */
  async function run(one: Locator): Promise<void> {
    const before = await prompt(one);
    await one.locator(places.editor).click();
    await page.keyboard.press('Control+Enter');
    await expect.poll(() => prompt(one), POLL).toMatch(/\[\d+\]/);
    await expect.poll(() => prompt(one), POLL).not.toBe(before);
  }

  async function write(one: Locator, source: string): Promise<void> {
    await one.locator(places.editor).click();
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText(source);
  }

  async function verdict(): Promise<string[]> {
    const check = cell("await check('mixture.logNormal', logNormal)");
    await run(check);
    return marksIn(check);
  }

  /** Twice the letter i, outside of a cell's editor: the same key in all of them. */
  async function stop(): Promise<void> {
    await page.keyboard.press('Escape');
    await page.keyboard.press('i');
    await page.keyboard.press('i');
  }

  const kept = (id: string) => {
    const notebook = parseNotebook(readFileSync(join(root, 'notebooks', CHAPTER), 'utf8'), CHAPTER);
    return notebook.cells.find((one) => one.id === id) as CodeCell;
  };

  test('opens the chapter and runs its first cells; a figure is drawn', async () => {
    await page.goto(server.address);
    await cell("import * as tf from '@tensorflow/tfjs'").waitFor();
    await run(cell("import * as tf from '@tensorflow/tfjs'"));
    const picture = cell('const three = gaussianMixture');
    await run(picture);
    await picture.locator('.main-svg').first().waitFor();
  });

  test('an exercise: right, broken, mended', async () => {
    const exercise = cell('function logNormal(');
    const judge = async (source: string) => {
      await write(exercise, source);
      await run(exercise);
      return verdict();
    };
    expect(await judge(solution())).toEqual([GREEN]);
    expect(await judge(wrongSolution())).toContain(RED);
    expect(await judge(solution())).toEqual([GREEN]);
  });

  test('a training stops when told to, and keeps what it has', async () => {
    await run(cell("const digits = load('digits')"));
    const training = cell('const watched');
    await training.locator(places.editor).click();
    await page.keyboard.press('Control+Enter');
    await training.locator(places.output).getByText(/epoch/).first().waitFor();
    expect(await prompt(training)).toContain('[*]');
    await stop();
    await expect.poll(() => prompt(training), POLL).toMatch(/\[\d+\]/);
  });

  test('what is saved is on disk, and there again after a reload', async () => {
    await page.keyboard.press('Control+S');
    await expect.poll(() => JSON.stringify(kept('check-log-normal').outputs), POLL).toContain('checks pass');
    expect(kept('log-normal').source).toBe(solution());
    expect(kept('train-gaussian-watched').outputs.length).toBeGreaterThan(0);
    await page.reload();
    const check = cell("await check('mixture.logNormal', logNormal)");
    await check.getByText('checks pass').first().waitFor();
  });

  test('arrow keys move through the steps of a figure, and stay out of the notebook', async () => {
    const source = `const { figure: draw } = await import('dgm');
      draw({ y: [0, 1] }, {}, { frames: ['a', 'b'].map((name, i) => ({ name, data: [{ y: [i, i + 1] }] })) });`;
    await write(cell('const three = gaussianMixture'), source);
    const drawn = cell('figure: draw');
    await run(drawn);
    const element = drawn.locator('.dgm-figure').first();
    await element.locator('.slider-container').first().waitFor();
    await page.keyboard.press('Escape'); // command mode, where arrows are the notebook's
    const y = () => element.evaluate((node) => (node as unknown as { data: { y: number[] }[] }).data[0]!.y);
    await element.focus();
    for (const [key, shown] of [
      ['ArrowRight', [1, 2]],
      ['ArrowRight', [1, 2]],
      ['ArrowLeft', [0, 1]],
    ] as const) {
      await page.keyboard.press(key);
      await expect.poll(y, POLL).toEqual(shown);
    }
  });

  test('no request has left the machine', () => expect([...hosts]).toEqual(['127.0.0.1']));
});

/** Nothing of the user's own Jupyter, and a training that lasts. */
function environment(root: string): NodeJS.ProcessEnv {
  const own = { JUPYTER_CONFIG_DIR: 'config', JUPYTER_DATA_DIR: 'data', JUPYTER_RUNTIME_DIR: 'run' };
  return {
    ...process.env,
    ...Object.fromEntries(Object.entries(own).map(([name, folder]) => [name, join(root, folder)])),
    DGM_PROGRESS: join(root, 'progress.json'),
    DGM_BUDGET: '100',
  };
}
