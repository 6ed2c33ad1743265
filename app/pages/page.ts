/**
 * An executed notebook as one HTML file: formulas, coloured code, outputs, interactive figures. It opens from
 * disk and asks nobody for anything; its security policy forbids both, and every script but its own.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve, sep } from 'node:path';
import { escapeHtml, listenForSteps } from 'dgm/figures';
import { titleOf, type CodeCell, type Notebook, type NotebookCell, type TextCell } from 'dgm-jupyter';
import { createMarkdown, highlight, type Heading, type Markdown } from './page-markdown';
import { outputHtml, type OutputContext } from './page-output';
import { STYLE } from './page-style';
import { createSanitiser } from './sanitise';

export interface PageOptions {
  /** Of the browser's tab. Default: the first heading. */
  readonly title?: string;
  /** Where pictures that the text names by a relative path are. Default: such pictures become links. */
  readonly folder?: string;
}

/** The page as text. @throws when the notebook's own parts are missing, never because of what a cell printed */
export async function notebookPage(notebook: Notebook, options: PageOptions = {}): Promise<string> {
  const markdown = createMarkdown();
  const hasHtml = outputsOf(notebook).some((output) => 'data' in output && 'text/html' in output.data);
  const context = { markdown, clean: hasHtml ? await createSanitiser() : escapeHtml };
  const cells = notebook.cells.map((cell) => cellHtml(cell, context, options.folder)).join('\n');
  const list = contents(markdown.headings);
  const body = `${list && SKIP}${list}<main id="content" tabindex="-1">\n${cells}\n</main>`;
  const scripts = body.includes('<div class="figure"') ? [plotly(), DRAW] : [];
  return page(options.title ?? titleOf(notebook), body, scripts);
}

const SKIP = '<a class="skip" href="#content">Skip the contents</a>\n';

function outputsOf(notebook: Notebook) {
  return notebook.cells.flatMap((cell) => (cell.cell_type === 'code' ? cell.outputs : []));
}

// Cells

function cellHtml(cell: NotebookCell, context: OutputContext, folder: string | undefined): string {
  if (cell.cell_type === 'code') return codeHtml(cell, context);
  if (cell.cell_type === 'markdown')
    return `<section class="text">${textHtml(cell, context.markdown, folder)}</section>`;
  return `<pre class="raw">${escapeHtml(cell.source)}</pre>`;
}

function codeHtml(cell: CodeCell, context: OutputContext): string {
  const outputs = cell.outputs.map((output) => outputHtml(output, context)).join('\n');
  const code =
    cell.source.trim() === '' ? '' : `<pre class="code"><code>${highlight(cell.source, 'typescript')}</code></pre>`;
  return `<section class="cell">${code}${outputs && `<div class="outputs">${outputs}</div>`}</section>`;
}

function textHtml(cell: TextCell, markdown: Markdown, folder: string | undefined): string {
  return markdown.render(cell.source, (source) => attachment(cell, source) ?? pictureIn(folder, source));
}

const PICTURES: Readonly<Record<string, string>> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.gif': 'gif',
  '.webp': 'webp',
  '.svg': 'svg+xml',
};

function attachment(cell: TextCell, source: string): string | undefined {
  const data = source.startsWith('attachment:') ? cell.attachments?.[decodeURIComponent(source.slice(11))] : undefined;
  const [mime, base64] = Object.entries(data ?? {}).find(([name]) => name.startsWith('image/')) ?? [];
  return typeof base64 === 'string' ? `data:${mime};base64,${base64.replace(/\s/g, '')}` : undefined;
}

/** Only files below the folder: a notebook must not show what else is on the disk. */
function pictureIn(folder: string | undefined, source: string): string | undefined {
  const kind = PICTURES[extname(source).toLowerCase()];
  if (folder === undefined || kind === undefined || /^[a-z]+:/i.test(source)) return undefined;
  const path = resolve(folder, decodeURIComponent(source));
  if (!path.startsWith(resolve(folder) + sep) || !statSync(path, { throwIfNoEntry: false })?.isFile()) return undefined;
  return `data:image/${kind};base64,${readFileSync(path).toString('base64')}`;
}

function contents(headings: readonly Heading[]): string {
  const listed = headings.filter(({ level }) => level >= 2 && level <= 3);
  if (listed.length < 2) return '';
  const items = listed.map(
    ({ level, id, html }) => `<li class="level${level}"><a href="#${id}">${withoutLinks(html)}</a></li>`,
  );
  return `<nav aria-label="Contents"><details open><summary>Contents</summary><ol>${items.join('')}</ol></details></nav>\n`;
}

const withoutLinks = (html: string): string => html.replace(/<\/?a\b[^>]*>/g, '');

// The file

function page(title: string, body: string, scripts: readonly string[]): string {
  const style = `${STYLE}\n${body.includes('class="katex') ? katexStyle(body) : ''}`;
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy(scripts)}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escapeHtml(title)}</title>`,
    `<style>${style}</style>`,
    '<noscript><style>div.figure { display: none; }</style></noscript>',
    '</head>',
    '<body>',
    body,
    ...scripts.map((script) => `<script>${script}</script>`),
    '</body>',
    '</html>\n',
  ].join('\n');
}

/** Nothing from elsewhere, and no script but those whose text we know. */
function policy(scripts: readonly string[]): string {
  const hashes = scripts.map((script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`);
  return [
    "default-src 'none'",
    'img-src data: blob:',
    "style-src 'unsafe-inline'",
    'font-src data:',
    `script-src ${hashes.join(' ') || "'none'"}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

/** plotly's file, without the one text in it that ends or hides a script element. */
function plotly(): string {
  const source = readFileSync(require.resolve('plotly.js-dist-min/plotly.min.js'), 'utf8');
  return source.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
}

/**
 * Draws the figures in the colour of the page's text, and again when the reader changes between light and dark. The
 * arrow keys move through the steps of one that has steps, too.
 */
const DRAW = `
(${listenForSteps.toString()})(globalThis);(function () {
  var figures = Array.from(document.querySelectorAll('div.figure')).map(function (element) {
    var spec = JSON.parse(element.querySelector('script').textContent);
    element.textContent = '';
    return { element: element, spec: spec };
  });
  function colour() { return getComputedStyle(document.body).color; }
  figures.forEach(function (figure) {
    var font = Object.assign({ color: colour() }, figure.spec.layout.font);
    var layout = Object.assign({}, figure.spec.layout, { font: font });
    Plotly.newPlot(figure.element, Object.assign({}, figure.spec, { layout: layout })).catch(function (error) {
      figure.element.textContent = figure.element.getAttribute('aria-label') + ' (' + error.message + ')';
    });
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', function () {
    figures.forEach(function (figure) {
      if (!(figure.spec.layout.font || {}).color) Plotly.relayout(figure.element, { 'font.color': colour() });
    });
  });
})();
`;

/** KaTeX's style sheet with those of its fonts that the page uses, in the file itself. */
function katexStyle(body: string): string {
  const folder = join(dirname(require.resolve('katex/package.json')), 'dist');
  const css = readFileSync(join(folder, 'katex.min.css'), 'utf8');
  const used = usedFamilies(css, body);
  return css.replace(/@font-face\{[^}]*\}/g, (face) => {
    const family = /font-family:"?([^";}]+)/.exec(face)![1]!;
    const file = /url\(([^)]+\.woff2)\)/.exec(face)![1]!;
    if (!used.has(family)) return '';
    const font = readFileSync(join(folder, file)).toString('base64');
    return face.replace(/src:[^;}]+/, `src:url(data:font/woff2;base64,${font}) format("woff2")`);
  });
}

/** The families of all rules whose classes occur in the page. */
function usedFamilies(css: string, body: string): ReadonlySet<string> {
  const classes = new Set([...body.matchAll(/class="([^"]+)"/g)].flatMap(([, names]) => names!.split(/\s+/)));
  const used = new Set<string>();
  for (const [, selectors, rules] of css.replace(/@font-face\{[^}]*\}/g, '').matchAll(/([^{}]+)\{([^{}]*)\}/g)) {
    const family = /font(?:-family)?:[^;}]*?(KaTeX_\w+)/.exec(rules!)?.[1];
    const applies = selectors!
      .split(',')
      .some((one) => (one.match(/\.[\w-]+/g) ?? []).every((name) => classes.has(name.slice(1))));
    if (family && applies) used.add(family);
  }
  return used;
}
