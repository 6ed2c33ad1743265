import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { JSDOM } from 'jsdom';
import { afterAll, describe, expect, test } from 'vitest';
import type { CodeCell, Notebook, NotebookCell, Output, TextCell } from 'dgm-jupyter';
import { figureSpec, PLOTLY_MIME } from '../../../lib/figures/figure';
import { notebookPage, type PageOptions } from '../../../app/pages/page';
import { createMarkdown } from '../../../app/pages/page-markdown';
import { ansi } from '../../../app/pages/page-output';
import { STYLE } from '../../../app/pages/page-style';
import { CHROMIUM, launchBrowser } from '../browser-helpers';
import { contrast } from '../../helpers';

// A page holds everything it shows, asks nobody for anything, and runs nothing that a notebook brought with it.

const text = (source: string, more: Partial<TextCell> = {}): TextCell => ({
  cell_type: 'markdown',
  id: 't',
  metadata: {},
  source,
  ...more,
});
const code = (source: string, ...outputs: Output[]): CodeCell => ({
  cell_type: 'code',
  id: 'c',
  metadata: {},
  source,
  execution_count: 1,
  outputs,
});
const display = (data: Record<string, unknown>): Output => ({ output_type: 'display_data', data, metadata: {} });
const notebook = (...cells: NotebookCell[]): Notebook => ({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });
const pageOf = (cells: NotebookCell[], options?: PageOptions) => notebookPage(notebook(...cells), options);
const documentOf = async (cells: NotebookCell[], options?: PageOptions) =>
  new JSDOM(await pageOf(cells, options)).window.document;
const figure = display({
  [PLOTLY_MIME]: figureSpec([{ y: [1, 2] }], { title: '</script>' }),
  'text/plain': 'a figure',
});

const folder = mkdtempSync(join(tmpdir(), 'page-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('markdown', () => {
  const render = (source: string) => createMarkdown().render(source);
  const formulas = (source: string) =>
    [...new JSDOM(render(source)).window.document.querySelectorAll('annotation')].map((element) =>
      element.textContent.trim(),
    );

  test.each([
    ['$x$', ['x']],
    ['a $x_1 * y_2$ and $z*w$', ['x_1 * y_2', 'z*w']],
    ['$$x$$', ['x']],
    ['before\n$$\na\n= b\n- c\n$$\nafter', ['a\n= b\n- c']],
    ['in a line $$x$$ too', ['x']],
    ['- item\n\n  $$\n  x\n  $$', ['x']],
    ['\\begin{align}\na &= b \\\\\n&= c\n\\end{align}', ['\\begin{align}\na &= b \\\\\n&= c\n\\end{align}']],
    ['$a \\\\ b$', ['a \\\\ b']],
    ['cell $A$|$B$', ['A', 'B']],
  ])('formulas of %j', (source, expected) => expect(formulas(source)).toEqual(expected));

  test.each([
    'it costs $5 and $6',
    'a \\$x\\$ b',
    '`$x$`',
    '```\n$x$\n```',
    '$ x $',
    '$$',
    'one $ alone',
    '$$\nnever closed',
  ])('no formula in %j', (source) => expect(formulas(source)).toEqual([]));

  test('Markdown around formulas is still Markdown', () => {
    expect(render('a *b* $x_1$ *c* $x_2$')).toMatch(/<em>b<\/em>.*<em>c<\/em>/s);
  });

  test('a formula with a mistake is shown as written, with the reason', () => {
    const element = new JSDOM(render('$\\frac{1$')).window.document.querySelector('code.bad-formula')!;
    expect(element.textContent).toBe('\\frac{1');
    expect(element.getAttribute('title')).toContain('KaTeX');
  });

  test('KaTeX makes no links and loads nothing', () => {
    expect(render('$\\href{javascript:alert(1)}{x}$ $\\includegraphics{http://x/y.png}$')).not.toMatch(/<a |<img/);
  });

  test('HTML is text', () => {
    expect(render('<script>alert(1)</script> <b onclick="x">b</b>')).not.toMatch(/<script|<b /);
    expect(render('[x](javascript:alert(1))')).not.toContain('<a');
  });

  test('headings have anchors of their own', () => {
    const markdown = createMarkdown();
    markdown.render('# A b: c!\n## A b c');
    markdown.render('## A b c\n### $x$ *é*');
    expect(markdown.headings.map(({ level, id }) => [level, id])).toEqual([
      [1, 'a-b-c'],
      [2, 'a-b-c-2'],
      [2, 'a-b-c-3'],
      [3, 'x-é'],
    ]);
  });
});

describe('terminal text', () => {
  test('colours become classes, other sequences vanish, text is escaped', () => {
    expect(ansi('\x1b[31mred\x1b[0m \x1b[1;32mbold\x1b[39m <b>\x1b[2K\x1b[?25l')).toBe(
      '<span class="ansi-red">red</span> <span class="ansi-green ansi-bold">bold</span><span class="ansi-green ansi-bold"> &lt;b&gt;</span>',
    );
    expect(ansi('\x1b[91mbright\x1b[mplain')).toBe('<span class="ansi-red">bright</span>plain');
  });
});

describe('page', () => {
  test('cells in order, with title, contents and code in colour', async () => {
    const document = await documentOf([text('# Mixtures\n## One\n## Two $x$'), code('const a: number = 1;')]);
    expect(document.title).toBe('Mixtures');
    expect([...document.querySelectorAll('nav a')].map((link) => link.getAttribute('href'))).toEqual([
      '#one',
      '#two-x',
    ]);
    for (const link of document.querySelectorAll('nav a'))
      expect(document.querySelector(link.getAttribute('href')!)).not.toBeNull();
    expect(document.querySelector('pre.code .hljs-keyword')!.textContent).toBe('const');
    expect(document.querySelector('pre.code')!.textContent).toBe('const a: number = 1;');
  });

  test('every kind of output', async () => {
    const png = 'iVBORw0KGgoAAAANSUhEUgAAAAQAAAACCAYAAAB/qH1jAAAAD0lEQVR4nGP8z8Dwn4EIAAAYBAP9NzvJ8gAAAABJRU5ErkJggg==';
    const document = await documentOf([
      code(
        '1',
        { output_type: 'stream', name: 'stdout', text: '<out>' },
        { output_type: 'stream', name: 'stderr', text: 'err' },
        { output_type: 'error', ename: 'TypeError', evalue: 'bad', traceback: ['\x1b[31mTypeError\x1b[0m: bad'] },
        { output_type: 'error', ename: 'RangeError', evalue: 'without trace', traceback: [] },
        display({ 'text/html': '<table><tr><td>cell</td></tr></table>', 'text/plain': 'no' }),
        display({ 'image/png': png, 'text/plain': 'a picture' }),
        display({ 'text/markdown': '*prose*', 'text/plain': 'no' }),
        display({ 'text/latex': '$$x$$', 'text/plain': 'no' }),
        display({ 'application/json': { a: 1 } }),
        { output_type: 'execute_result', execution_count: 1, data: { 'text/plain': '42' }, metadata: {} },
        display({}),
      ),
    ]);
    const seen = document.querySelector('.outputs')!;
    for (const part of ['<out>', 'err', 'TypeError: bad', 'RangeError: without trace', 'cell', 'prose', '"a": 1', '42'])
      expect(seen.textContent).toContain(part);
    expect(seen.querySelector('img')!.getAttribute('alt')).toBe('a picture');
    expect(seen.querySelector('img')!.getAttribute('width')).toBe('2'); // 4 pixels, two to a point
    expect(seen.textContent).not.toContain('no\n');
    expect(seen.querySelector('.katex')).not.toBeNull();
  });

  test('plotly is in the page once, and only with figures', async () => {
    const marker = 'plotly.js v';
    expect((await pageOf([code('1', figure), code('2', figure)])).split(marker)).toHaveLength(2);
    expect(await pageOf([code('1', display({ 'text/plain': 'a' }))])).not.toContain(marker);
  });

  test('figures: data for the script, a picture for readers without scripts', async () => {
    const drawn = display({ ...(figure as { data: object }).data, 'image/png': 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' });
    const document = await documentOf([code('1', drawn), code('2', figure)]);
    const data = [...document.querySelectorAll('div.figure script')].map(
      (script) => JSON.parse(script.textContent!) as { data: unknown },
    );
    expect(data.map((spec) => spec.data)).toEqual([[{ y: [1, 2] }], [{ y: [1, 2] }]]);
    const fallbacks = [...document.querySelectorAll('main noscript')].map((element) => element.innerHTML);
    expect(fallbacks[0]).toMatch(/^<img class="picture" src="data:image\/png/);
    expect(fallbacks[1]).toBe('<p>a figure</p>');
  });

  test('the policy names the very scripts of the page, and nothing may be loaded', async () => {
    const document = await documentOf([code('1', figure)]);
    const policy = document.querySelector('meta[http-equiv="Content-Security-Policy"]')!.getAttribute('content')!;
    expect(policy).toContain("default-src 'none'");
    const scripts = [...document.querySelectorAll('script:not([type])')].map((script) => script.textContent!);
    expect(scripts).toHaveLength(2);
    for (const script of scripts) expect(policy).toContain(createHash('sha256').update(script).digest('base64'));
    const quiet = await documentOf([text('no figure')]);
    expect(quiet.querySelector('meta[http-equiv]')!.getAttribute('content')).toContain("script-src 'none'");
  });

  test('nothing in it is an address to fetch', async () => {
    const cells = [
      text('$x$ ![a](http://example.org/a.png) ![b](missing.png)'),
      code('1', figure, display({ 'text/html': '<img src="http://example.org/b.png">t' })),
    ];
    const document = await documentOf(cells, { folder });
    const loaded = [...document.querySelectorAll('[src], link[href]')].map(
      (element) => element.getAttribute('src') ?? element.getAttribute('href')!,
    );
    expect(loaded.filter((address) => !address.startsWith('data:'))).toEqual([]);
    const urls = [...document.querySelector('style')!.textContent!.matchAll(/url\(([^)]{0,20})/g)].map(
      ([, url]) => url!,
    );
    expect(urls.filter((url) => !url.startsWith('data:'))).toEqual([]);
  });

  test('only fonts that its formulas use', async () => {
    const families = async (source: string) => {
      const faces = (await pageOf([text(source)])).matchAll(/@font-face\{[^}]*?font-family:"?KaTeX_(\w+)/g);
      return [...new Set([...faces].map(([, family]) => family))].sort();
    };
    expect(await families('no formula')).toEqual([]);
    expect(await families('$x$')).toEqual(['Main', 'Math']);
    expect(await families('$\\mathcal{N} \\mathbb{E} \\mathfrak{g}$')).toEqual([
      'AMS',
      'Caligraphic',
      'Fraktur',
      'Main',
    ]);
    expect(await families('$$\\sum \\left(\\frac{\\frac12}{2}\\right)$$')).toEqual(
      expect.arrayContaining(['Size2', 'Size3']),
    );
  });

  test('pictures: attachments and files below the folder, no others', async () => {
    writeFileSync(join(folder, 'ok.png'), 'picture');
    writeFileSync(join(folder, '..', 'outside.png'), 'secret');
    const attachments = { 'a b.png': { 'image/png': 'QUJD\n' } };
    const document = await documentOf(
      [text('![1](ok.png) ![2](../outside.png) ![3](attachment:a%20b.png) ![4](/etc/passwd)', { attachments })],
      { folder },
    );
    rmSync(join(folder, '..', 'outside.png'));
    const sources = [...document.querySelectorAll('img')].map((image) => [image.alt, image.src]);
    expect(sources).toEqual([
      ['1', `data:image/png;base64,${Buffer.from('picture').toString('base64')}`],
      ['3', 'data:image/png;base64,QUJD'],
    ]);
  });

  test('an empty notebook, a raw cell, an empty code cell', async () => {
    expect((await documentOf([])).title).toBe('Notebook');
    const document = await documentOf([{ cell_type: 'raw', id: 'r', metadata: {}, source: '<raw>' }, code('  ')], {
      title: 'a < b',
    });
    expect(document.title).toBe('a < b');
    expect(document.querySelector('pre.raw')!.textContent).toBe('<raw>');
    expect(document.querySelector('pre.code')).toBeNull();
  });
});

describe('whoever does not see, or does not use a mouse', () => {
  test('meets landmarks, a way past the contents, and a name for whatever is no text', async () => {
    const moving = figureSpec(
      [{ y: [1] }],
      {},
      { frames: ['a', 'b'].map((name, i) => ({ name, data: [{ y: [i] }] })) },
    );
    const document = await documentOf([
      text('# T\n\n## One\n\n## Two'),
      code(
        '1',
        figure,
        display({ [PLOTLY_MIME]: moving, 'text/plain': 'two steps' }),
        { output_type: 'error', ename: 'Error', evalue: 'bad', traceback: [] }, // prettier-ignore
      ),
    ]);
    expect(document.documentElement.lang).toBe('en');
    expect(document.querySelectorAll('main')).toHaveLength(1);
    expect(document.querySelector('nav')!.getAttribute('aria-label')).toBe('Contents');
    const skip = document.querySelector('body a')!; // the first that the keyboard reaches
    expect(document.querySelector(skip.getAttribute('href')!)!.localName).toBe('main');
    for (const element of document.querySelectorAll('[role="img"], [role="group"]'))
      expect(element.getAttribute('aria-label')).toBeTruthy();
    const [still, steps] = document.querySelectorAll('div.figure');
    expect([still!.getAttribute('role'), still!.hasAttribute('tabindex')]).toEqual(['img', false]);
    expect([steps!.getAttribute('role'), steps!.getAttribute('tabindex')]).toEqual(['group', '0']);
    expect(document.querySelector('[role="alert"]')).toBeNull(); // nothing happens on a page that is read
  });

  test('no colour of a text falls below 4.5 : 1 on what it may stand on, by day and by night', () => {
    const [light, dark] = [...STYLE.matchAll(/:root \{([^}]*)\}/g)].map(
      ([, block]) =>
        new Map([...block!.matchAll(/--([a-z-]+): (#[0-9a-f]{6})/g)].map(([, name, hex]) => [name!, hex!])),
    );
    for (const colours of [light!, dark!])
      for (const paper of ['paper', 'panel', 'error'])
        for (const [name, colour] of colours)
          if (!['paper', 'panel', 'line', 'error', 'error-line'].includes(name))
            expect(contrast(colour, colours.get(paper)!), `${name} on ${paper}`).toBeGreaterThanOrEqual(4.5);
    expect(light!.size).toBe(dark!.size);
  });
});

describe.skipIf(!CHROMIUM)('page in a browser', () => {
  test('figures are drawn under the policy, nothing is requested, no error is reported', async () => {
    const file = join(folder, 'page.html');
    const heatmap = display({ [PLOTLY_MIME]: figureSpec([{ type: 'heatmap', z: [[1, 2]] }]), 'text/plain': 'b' });
    writeFileSync(file, await pageOf([text('# T\n\n$\\sum x$'), code('1', figure, heatmap)]));
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage({ colorScheme: 'dark' });
      const trouble: string[] = [];
      page.on('pageerror', (error) => trouble.push(error.message));
      page.on('console', (message) => trouble.push(message.text()));
      page.on('request', (request) => void (/^(file|data|blob):/.test(request.url()) || trouble.push(request.url())));
      await page.goto(pathToFileURL(file).href);
      await page.locator('.js-plotly-plot .modebar').nth(1).waitFor();
      const titleColour = () =>
        page
          .locator('text.gtitle')
          .first()
          .evaluate((title) => getComputedStyle(title).fill);
      const dark = await titleColour();
      await page.emulateMedia({ colorScheme: 'light' });
      await expect.poll(titleColour).not.toBe(dark);
      await page.emulateMedia({ colorScheme: 'dark', media: 'print' });
      await expect.poll(titleColour).toBe('rgb(0, 0, 0)');
      expect(trouble).toEqual([]);
    } finally {
      await browser.close();
    }
  });

  test('arrow keys move through the steps of a figure', async () => {
    const file = join(folder, 'steps.html');
    const frames = ['first', 'second'].map((name, i) => ({ name, data: [{ y: [i, i + 1] }] }));
    const moving = display({ [PLOTLY_MIME]: figureSpec([{ y: [0, 1] }], {}, { frames }), 'text/plain': 'two steps' });
    writeFileSync(file, await pageOf([text('# T'), code('1', moving)]));
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      await page.goto(pathToFileURL(file).href);
      await page.locator('.js-plotly-plot .slider-container').waitFor();
      const y = () => page.locator('.js-plotly-plot').evaluate((element) => (element as unknown as { data: { y: number[] }[] }).data[0]!.y); // prettier-ignore
      await page.keyboard.press('Tab');
      await page.keyboard.press('ArrowRight');
      await expect.poll(y).toEqual([1, 2]);
      await page.keyboard.press('ArrowRight'); // there is none after the last
      await page.keyboard.press('ArrowLeft');
      await expect.poll(y).toEqual([0, 1]);
    } finally {
      await browser.close();
    }
  });
});
