/** Markdown of notebooks as HTML: formulas set by KaTeX, code coloured, headings with anchors. HTML in it is shown as text. */
import hljs from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import json from 'highlight.js/lib/languages/json';
import python from 'highlight.js/lib/languages/python';
import typescript from 'highlight.js/lib/languages/typescript';
import katex from 'katex';
import MarkdownIt from 'markdown-it';
import { escapeHtml } from 'dgm/figures';

for (const [name, language] of Object.entries({ bash, json, python, typescript }))
  hljs.registerLanguage(name, language);

export interface Heading {
  readonly level: number;
  readonly id: string;
  /** HTML, since a heading may hold formulas. */
  readonly html: string;
}

export interface Markdown {
  /** @param picture finds an image's data URI; what it does not find is shown as a link */
  render(text: string, picture?: (source: string) => string | undefined): string;
  /** Of everything rendered so far, in order. */
  readonly headings: readonly Heading[];
}

/** A renderer for one page: anchors are unique among everything it renders. */
export function createMarkdown(): Markdown {
  const markdown = new MarkdownIt({
    html: false,
    linkify: true,
    highlight: (code, language) => highlight(code, language),
  });
  markdown.block.ruler.before('fence', 'math', mathBlock, { alt: ['paragraph', 'reference', 'blockquote', 'list'] });
  markdown.inline.ruler.before('escape', 'math', mathInline);
  const math: MarkdownIt.RendererRule = (tokens, i) => formula(tokens[i]!.content, tokens[i]!.markup === '$$');
  markdown.renderer.rules['math'] = math;
  markdown.renderer.rules['image'] = image;
  const headings: Heading[] = [];
  collectHeadings(markdown, headings);
  return { headings, render: (text, picture) => markdown.render(text, { picture }) };
}

/** Code as HTML with classes of highlight.js; plain when the language is none we know. */
export function highlight(code: string, language: string): string {
  const known =
    { ts: 'typescript', typescript: 'typescript', js: 'typescript', javascript: 'typescript', sh: 'bash' }[language] ??
    language;
  return hljs.getLanguage(known) ? hljs.highlight(code, { language: known }).value : escapeHtml(code);
}

/** A formula as HTML and MathML; one with a mistake is shown as it was written, with the reason as its title. */
export function formula(tex: string, display: boolean): string {
  try {
    return katex.renderToString(tex, { displayMode: display, strict: 'ignore', trust: false });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `<code class="bad-formula" title="${escapeHtml(reason)}">${escapeHtml(tex)}</code>`;
  }
}

// Formulas, as Jupyter finds them: $…$, $$…$$ and environments; before Markdown sees their _ and \

function mathInline(state: MarkdownIt.StateInline, silent: boolean): boolean {
  const { src, pos } = state;
  if (src[pos] !== '$') return false;
  const mark = src[pos + 1] === '$' ? '$$' : '$';
  const start = pos + mark.length;
  const end = closing(src, mark, start);
  if (end < 0 || !isMath(src, mark, start, end)) return false;
  if (!silent) Object.assign(state.push('math', 'math', 0), { content: src.slice(start, end), markup: mark });
  state.pos = end + mark.length;
  return true;
}

/** Where the mark stands next without a backslash before it. */
function closing(text: string, mark: string, from: number): number {
  for (let at = text.indexOf(mark, from); at >= 0; at = text.indexOf(mark, at + 1)) {
    const backslashes = /\\*$/.exec(text.slice(from, at))![0].length;
    if (backslashes % 2 === 0) return at;
  }
  return -1;
}

/** A dollar is also money: no space inside the marks, and no digit after them (Pandoc's rule). */
function isMath(text: string, mark: string, start: number, end: number): boolean {
  if (text.slice(start, end).trim() === '') return false;
  return mark === '$$' || (/\S/.test(text[start]!) && /\S/.test(text[end - 1]!) && !/\d/.test(text[end + 1] ?? ''));
}

function mathBlock(state: MarkdownIt.StateBlock, startLine: number, endLine: number, silent: boolean): boolean {
  const first = state.src.slice(state.bMarks[startLine]! + state.tShift[startLine]!, state.eMarks[startLine]!);
  const environment = /^\\begin\{([A-Za-z]+\*?)\}/.exec(first)?.[1];
  if (!first.startsWith('$$') && environment === undefined) return false;
  for (let next = startLine + 1; next <= endLine; next++) {
    const text = state.getLines(startLine, next, state.blkIndent, false).trim();
    const content = environment === undefined ? betweenMarks(text) : wholeEnvironment(text, environment);
    if (content === undefined) continue;
    if (!silent)
      Object.assign(state.push('math', 'math', 0), { block: true, content, markup: '$$', map: [startLine, next] });
    state.line = next;
    return true;
  }
  return false;
}

function betweenMarks(text: string): string | undefined {
  const end = closing(text, '$$', 2);
  return end > 2 && end + 2 === text.length ? text.slice(2, end) : undefined;
}

function wholeEnvironment(text: string, name: string): string | undefined {
  return text.endsWith(`\\end{${name}}`) ? text : undefined;
}

// Headings and images

function collectHeadings(markdown: MarkdownIt.MarkdownIt, headings: Heading[]): void {
  markdown.renderer.rules['heading_open'] = (tokens, i, options, env) => {
    const inline = tokens[i + 1]!;
    const id = anchor(inline.content, headings);
    headings.push({
      level: Number(tokens[i]!.tag.slice(1)),
      id,
      html: markdown.renderer.renderInline(inline.children ?? [], options, env),
    });
    return `<${tokens[i]!.tag} id="${id}">`;
  };
}

function anchor(text: string, headings: readonly Heading[]): string {
  const slug =
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '-')
      .replace(/^-|-$/g, '') || 'section';
  const taken = (id: string) => headings.some((heading) => heading.id === id);
  let id = slug;
  for (let n = 2; taken(id); n++) id = `${slug}-${n}`;
  return id;
}

/** The page asks nobody for anything, so a picture is in it or is not shown. */
const image: MarkdownIt.RendererRule = (tokens, i, _options, env) => {
  const source = String(tokens[i]!.attrGet('src') ?? '');
  const alt = escapeHtml(tokens[i]!.content);
  const picture = (env as { picture?: (source: string) => string | undefined }).picture;
  const data = source.startsWith('data:') ? source : picture?.(source);
  return data
    ? `<img src="${escapeHtml(data)}" alt="${alt}">`
    : `<a href="${escapeHtml(source)}">${alt || escapeHtml(source)}</a>`;
};
